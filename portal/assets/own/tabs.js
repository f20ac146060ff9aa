// Where tabs do not fit beside each other, the one that is open is brought into sight.
(() => {
  "use strict";

  document.addEventListener("DOMContentLoaded", () => {
    const open = document.querySelector("nav.tabs [aria-current]");
    if (open) open.parentElement.scrollLeft = open.offsetLeft - open.parentElement.offsetLeft - 40;
  });
})();
