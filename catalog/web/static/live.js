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
