// Says whether the page is live, pauses it while nobody looks, and polls where the stream does not come through. The
// stream itself is htmx's (sse-connect); without scripts the page is complete and simply does not change by itself.
(() => {
  "use strict";
  const POLL_MS = 15000;
  let state = "connecting";
  // Runs while the stream is broken.
  let polling = null;

  function show(next) {
    state = next;
    const pill = document.getElementById("live");
    if (!pill) return;
    pill.hidden = false;
    pill.dataset.state = next;
    if (pill.textContent !== next) pill.textContent = next;
  }

  // What a person opened, ticked or typed stays as it is when the page is renewed around it.
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => {
    if (name === "open") return node.localName !== "details";
    if (name === "checked") return node.localName !== "input";
    if (name === "selected") return node.localName !== "option";
    return name !== "value" || !node.matches("textarea, input:not([type=hidden], [type=checkbox], [type=radio])");
  };

  function page() { return document.getElementById("content"); }
  function isLive() { return page() && page().hasAttribute("sse-connect"); }

  // A fresh copy of the page: its content element is replaced, and with it the stream.
  function renew(swap) {
    return htmx.ajax("GET", location.href, { target: "#content", select: "#content", swap });
  }

  function pause() {
    const internal = page()["htmx-internal-data"];
    if (internal && internal.sseEventSource) internal.sseEventSource.close();
    show("paused");
  }

  document.addEventListener("htmx:sseOpen", () => {
    clearInterval(polling);
    polling = null;
    // A second try of the stream may succeed after the tab was left.
    if (document.hidden) pause(); else show("live");
  });
  document.addEventListener("htmx:sseError", () => {
    polling = polling ?? setInterval(poll, POLL_MS);
    if (state !== "paused") show("reconnecting");
  });
  function poll() {
    if (isLive() && !document.hidden) renew("morph:outerHTML").catch(() => {});
  }
  document.addEventListener("htmx:sseMessage", () => {
    const stamp = document.querySelector(".titleline .end time");
    const zone = stamp && stamp.querySelector(".muted");
    if (!stamp || !zone) return;
    const now = new Date();
    stamp.dateTime = now.toISOString();
    stamp.title = now.toISOString().replace("T", " ").slice(0, 19) + " UTC";
    stamp.firstChild.data = now.toISOString().slice(11, 19) + " ";
    zone.textContent = "UTC";
  });

  document.addEventListener("visibilitychange", () => {
    if (!isLive()) return;
    if (document.hidden) {
      pause();
    } else if (state === "paused") {
      show("reconnecting");
      renew("outerHTML").catch(() => show("reconnecting"));
    }
  });

  document.addEventListener("DOMContentLoaded", () => { if (isLive()) show("connecting"); });
})();
