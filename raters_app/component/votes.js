// Talking to the server: fetching ballots and pictures, and sending votes in order until each is on its disk.
// Votes that are not acknowledged yet are kept in sessionStorage, so a reload or an outage loses none.

const OUTBOX_KEY = "evalkit.outbox";
const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15000];
const AHEAD = 3;
const MOST_OPEN = 5;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class HttpError extends Error {
  constructor(status, body) {
    super(`status ${status}`);
    this.status = status;
    this.body = body;
  }
}

async function api(path, body) {
  const response = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    headers: body === undefined
      ? { "X-Evalkit": "1" }
      : { "X-Evalkit": "1", "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-store",
  });
  // Streamlit answers unknown paths with its page and status 200; only JSON is an answer.
  if (!(response.headers.get("content-type") || "").includes("application/json")) {
    throw new HttpError(502, {});
  }
  const told = await response.json();
  if (!response.ok) throw new HttpError(response.status, told);
  return told;
}

async function untilReached(request, onOffline) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await request();
    } catch (error) {
      if (error instanceof HttpError && error.status < 500 && error.status !== 429) throw error;
      onOffline();
      await sleep(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]);
    }
  }
}

// Browsers that keep nothing (private windows, blocked cookies) throw; the page works without.
function remember(key, text) {
  try {
    sessionStorage.setItem(key, text);
  } catch {
    /* kept in memory only */
  }
}

function recall(key) {
  try {
    return sessionStorage.getItem(key) || "";
  } catch {
    return "";
  }
}

function restoreOutbox() {
  const kept = recall(OUTBOX_KEY);
  return kept ? JSON.parse(kept) : [];
}

class Votes {
  // `on` has: state(word, waiting), arrived(answer), refused(status, vote).
  constructor(on) {
    this.on = on;
    this.outbox = restoreOutbox();
    this.sending = null;
  }

  cast(vote) {
    this.outbox.push(vote);
    this.keep();
    this.flush();
  }

  // One sender at a time, oldest vote first; resolves when nothing is left to send.
  flush() {
    this.sending ??= this.sendAll().finally(() => {
      this.sending = null;
    });
    return this.sending;
  }

  async sendAll() {
    while (this.outbox.length > 0) {
      this.on.state("saving", this.outbox.length);
      await this.send(this.outbox[0]);
      this.outbox.shift();
      this.keep();
    }
    this.on.state("saved", 0);
  }

  async send(vote) {
    const started = performance.now();
    const body = { ticket: vote.ticket, answers: vote.answers, client: vote.client, k: this.wanted() };
    try {
      const answer = await untilReached(() => api("/api/v1/vote", body), () => this.offline());
      performance.measure("evalkit:ack", { start: started, end: performance.now() });
      this.on.arrived(answer);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      this.on.refused(error.status, vote);
    }
  }

  next() {
    const k = this.wanted();
    return untilReached(() => api(`/api/v1/next?k=${k}`), () => this.offline());
  }

  // The server counts votes it has not received yet as open ballots, so ask for that many more.
  wanted() {
    return Math.min(MOST_OPEN, AHEAD + Math.max(0, this.outbox.length - 1));
  }

  offline() {
    this.on.state("offline", this.outbox.length);
  }

  keep() {
    remember(OUTBOX_KEY, JSON.stringify(this.outbox));
  }
}

// A picture as a decoded <img> over its own bytes. Rejects with HttpError if the server does not have it.
async function loadPicture(path, alt) {
  const bytes = await untilReached(async () => {
    const response = await fetch(path, { credentials: "same-origin" });
    if (!response.ok) throw new HttpError(response.status, {});
    return response.blob();
  }, () => {});
  return decoded(URL.createObjectURL(bytes), alt);
}

async function decoded(url, alt) {
  const image = new Image();
  image.src = url;
  image.alt = alt;
  image.draggable = false;
  await image.decode();
  return image;
}
