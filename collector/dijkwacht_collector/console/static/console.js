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

function announce(message) {
  const event = JSON.parse(message.data);
  const status = document.getElementById("news");
  if (event.activity === "create" && event.severity > 2) {
    status.textContent = `${status.dataset.new} ${event.title[language]}`;
  } else if (event.activity === "close") {
    status.textContent = `${status.dataset.over} ${event.title[language]}`;
  }
}

showClocks(document);

if (board) {
  const stream = new EventSource(`/events?after=${encodeURIComponent(board.dataset.last)}`);
  stream.addEventListener("open", () => showLive(true));
  stream.addEventListener("error", () => showLive(false));
  stream.addEventListener("incident", (message) => {
    announce(message);
    refresh();
  });
  stream.addEventListener("reload", refresh);
  setInterval(() => document.hidden || refresh(), 15000);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
}
