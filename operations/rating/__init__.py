"""Operations on ratings: predict one, and trace, train and evaluate raters."""
