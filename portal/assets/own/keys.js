// The keyboard: / leads to the filter, j and k walk the rows, Enter opens one (its link has the focus then), ? tells all
// this, Esc leaves. No letter does anything while somebody types; without scripts Tab does it all.
(() => {
  "use strict";

  function typing(target) { return target.closest("input:not([type=checkbox]), select, textarea, dialog") !== null; }

  // The first link of every row that has one.
  function links() {
    const rows = [...document.querySelectorAll("#content tbody tr")];
    return rows.map((row) => row.querySelector("a")).filter((link) => link !== null);
  }

  function walk(step) {
    const all = links();
    const at = all.findIndex((link) => link.closest("tr").contains(document.activeElement));
    const next = at < 0 && step < 0 ? all.length - 1 : at + step;
    const link = all[Math.max(0, Math.min(all.length - 1, next))];
    if (!link) return;
    link.focus();
    link.closest("tr").scrollIntoView({ block: "nearest" });
  }

  function find() {
    const field = document.querySelector("#content form[role=search] :is(input, select)");
    if (field) field.focus();
    return field !== null;
  }

  const keys = {
    "/": find,
    "j": () => walk(1),
    "k": () => walk(-1),
    "?": () => document.getElementById("keys").showModal(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing(event.target)) {
      // A dialog closes itself and gives the focus back.
      if (event.key === "Escape" && !event.target.closest("dialog")) event.target.blur();
      return;
    }
    const act = keys[event.key];
    if (act && act() !== false) event.preventDefault();
  });
})();
