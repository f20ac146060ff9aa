// A form whose button is pressed twice is sent once. Without scripts the server tells the two apart where it matters.
(() => {
  "use strict";

  // Long enough for a double click, short enough for a download that leaves the page where it is.
  const WAIT_MS = 2000;

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    setTimeout(() => { delete form.dataset.sent; }, WAIT_MS);
  });
})();
