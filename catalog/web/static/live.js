// What goes on by itself on a page: the note that something happened, and what others need for it.
"use strict";

// stream calls hear with each event, from the last that the page shows on, until hear calls its second argument. A page that nobody sees has none: a browser has
// few connections to one host.
function stream(element, hear, end) {
  let last = element.dataset.last;
  let events = null;
  const close = () => {
    if (events) events.close();
    events = null;
  };
  let enough = false;
  const stop = () => {
    enough = true;
    close();
  };
  const open = () => {
    events = new EventSource(element.dataset.follow + "?after=" + last);
    events.onmessage = (event) => {
      last = event.lastEventId;
      hear(event, stop);
    };
    events.addEventListener("end", end);
  };
  const turn = () => {
    if (document.hidden) close();
    else if (!events && !enough) open();
  };
  document.addEventListener("visibilitychange", turn);
  window.addEventListener("pagehide", close);
  turn();
}

const news = document.getElementById("news");
if (news) stream(news, (event, stop) => {
  news.hidden = false;
  stop();
}, () => {});

// The queue as it is now takes the place of what the page shows of it; a form that somebody may be typing into stays as long as it is the right one.
const queue = document.getElementById("queue");
if (queue) {
  const show = (page) => {
    const focused = document.activeElement ? document.activeElement.getAttribute("href") : null;
    for (const id of ["queuestate", "queuepause", "queuelist"]) {
      const old = document.getElementById(id), fresh = page.getElementById(id);
      if (!fresh || id === "queuepause" && old.dataset.paused === fresh.dataset.paused) continue;
      old.dataset.paused = fresh.dataset.paused;
      old.replaceChildren(...fresh.childNodes);
    }
    const link = focused && document.querySelector(`#queuelist a[href="${CSS.escape(focused)}"]`);
    if (link) link.focus({preventScroll: true});
  };
  let asking = false, again = false;
  const ask = async () => {
    again = true;
    if (asking) return;
    asking = true;
    try {
      while (again) {
        again = false;
        const response = await fetch(queue.dataset.at);
        if (response.redirected) location.reload(); // the session has ended
        else if (response.ok) show(new DOMParser().parseFromString(await response.text(), "text/html"));
      }
    } finally {
      asking = false;
    }
  };
  document.getElementById("live").hidden = false;
  stream(queue, ask, () => {});
}
