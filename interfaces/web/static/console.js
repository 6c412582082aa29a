// What a person has typed, chosen or reached in a page stays there, whatever the server answers.
"use strict";

(() => {
  function say(words) {
    const line = document.getElementById("trouble");
    if (line.textContent !== words) {
      line.textContent = words; // set anew, a screen reader would read it at every poll
    }
  }

  function wordsOf(answer, status) {
    const told = answer.querySelectorAll("#main [role=alert] p:not(.small)");
    if (told.length > 0) {
      return Array.from(told, (one) => one.textContent.trim()).join(" ");
    }
    return `The server gave no page (${status}). What is shown may be out of date.`;
  }

  // An answer without what was asked for takes nothing from the page: it is said below.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig, shouldSwap, target } = event.detail;
    const asking = requestConfig.elt;
    const answer = new DOMParser().parseFromString(xhr.responseText, "text/html");
    const part = shouldSwap ? answer.querySelector(asking.getAttribute("hx-select")) : null;
    say(part === null ? wordsOf(answer, xhr.status) : "");
    // What a poll finds unchanged stays, and so do the focus and what is selected in it.
    if (part === null || (target === asking && target.innerHTML === part.innerHTML)) {
      event.detail.shouldSwap = false;
    }
  });

  // Other numbers than these would lead to the page of an error.
  function isCount(field) {
    return /^\s*0*[1-9]\d*\s*$/.test(field.value) && field.checkValidity();
  }

  // A link takes along the numbers that are typed beside it.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-takes] a");
    if (link !== null) {
      const url = new URL(link.href);
      for (const field of document.querySelectorAll(link.closest("[data-takes]").dataset.takes)) {
        if (isCount(field)) {
          url.searchParams.set(field.name, field.value);
        } else {
          url.searchParams.delete(field.name);
        }
      }
      link.href = url;
    }
  });

  for (const lost of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(lost, () => {
      say("The server does not answer. What is shown may be out of date.");
    });
  }
})();
