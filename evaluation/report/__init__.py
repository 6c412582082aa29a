"""The evaluation as a page of HTML that holds everything it shows."""
