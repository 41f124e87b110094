// What goes on by itself on a page: the log of a build that runs, and the note that something happened.
"use strict";

const maxLines = 5000;

function lineOf(number, parts) {
  const line = document.createElement("li");
  const anchor = document.createElement("a");
  const text = document.createElement("span");
  line.id = "L" + number;
  anchor.href = "#" + line.id;
  anchor.textContent = number;
  for (const part of parts) {
    const isLink = /^https?:\/\//.test(part.h || "");
    const piece = document.createElement(isLink ? "a" : "span");
    piece.textContent = part.t;
    if (part.c) piece.className = part.c;
    if (isLink) {
      piece.href = part.h;
      piece.rel = "noopener noreferrer nofollow";
    }
    text.append(piece);
  }
  line.append(anchor, text);
  return line;
}

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

function follow(log) {
  document.getElementById("live").hidden = false;
  let waiting = null;
  const add = () => {
    const atEnd = window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 40;
    log.append(waiting);
    waiting = null;
    while (log.childElementCount > maxLines) log.firstElementChild.remove();
    if (atEnd) window.scrollTo(0, document.documentElement.scrollHeight);
  };
  stream(log, (event) => {
    if (!waiting) {
      waiting = document.createDocumentFragment();
      setTimeout(add, 50);
    }
    waiting.append(lineOf(event.lastEventId, JSON.parse(event.data)));
  }, () => location.reload());
}

const log = document.getElementById("log");
if (log && log.dataset.follow) follow(log);

const news = document.getElementById("news");
if (news) stream(news, (event, stop) => {
  news.hidden = false;
  stop();
}, () => {});
