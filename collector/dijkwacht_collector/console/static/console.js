// Keeps the first page live. Without this file every page still works; it is only older.
"use strict";

const board = document.getElementById("board");
const live = document.getElementById("live");
const language = document.documentElement.lang;

function showClocks(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.valueOf())) {
      time.title = moment.toLocaleString(language, { dateStyle: "medium", timeStyle: "medium" });
    }
  }
}

function showLive(on) {
  live.hidden = false;
  live.classList.toggle("off", !on);
  document.getElementById("live-word").textContent = on ? live.dataset.on : live.dataset.off;
}

let asking = false;
let askAgain = false;

// One request at a time, and one more after it if an event came meanwhile: a flood costs two requests.
async function refresh() {
  if (asking) {
    askAgain = true;
    return;
  }
  asking = true;
  try {
    const answer = await fetch(board.dataset.part, { headers: { Accept: "text/html" } });
    if (answer.ok) {
      const focused = document.activeElement?.id;
      const unfolded = [...board.querySelectorAll("details[open]")].map((part) => part.id);
      board.innerHTML = await answer.text(); // drawn and escaped by the server's templates
      for (const part of board.querySelectorAll("details")) part.open = unfolded.includes(part.id);
      if (focused) document.getElementById(focused)?.focus();
      const calls = board.querySelectorAll(".card").length;
      document.title = (calls ? `(${calls}) ` : "") + "Dijkwacht";
      showClocks(board);
    }
  } catch {
    showLive(false);
  } finally {
    asking = false;
    if (askAgain) {
      askAgain = false;
      setTimeout(refresh, 500);
    }
  }
}

// Said aloud: what calls, or calls once more than the page knew, and what called and is over.
function announce(event, called, over) {
  const status = document.getElementById("news");
  if (called) {
    status.textContent = `${status.dataset.new} ${event.title[language]}`;
  } else if (over) {
    status.textContent = `${status.dataset.over} ${event.title[language]}`;
  }
}

function hearStory(message) {
  const event = JSON.parse(message.data);
  const known = Number(document.getElementById(`story-${event.uid}`)?.dataset.calls ?? 0);
  const closed = event.activity === "close";
  announce(event, !closed && event.calls > known, closed && event.calls > 0);
  refresh();
}

function hearIncident(message) {
  const event = JSON.parse(message.data);
  const alone = !event.story;
  announce(event, alone && event.activity === "create" && event.severity > 2, alone && event.activity === "close");
  refresh();
}

showClocks(document);

if (board) {
  const stream = new EventSource(`/events?after=${encodeURIComponent(board.dataset.last)}`);
  stream.addEventListener("open", () => showLive(true));
  stream.addEventListener("error", () => showLive(false));
  stream.addEventListener("story", hearStory);
  stream.addEventListener("incident", hearIncident);
  stream.addEventListener("reload", refresh);
  setInterval(() => document.hidden || refresh(), 15000);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
}
