// How far a file has come, in words and as a share, and a way to follow it until it is done.

const STEPS = ["received", "probing", "decoding", "scoring", "explaining", "done"];
const BEGINS = { received: 0, probing: 0.04, decoding: 0.1, scoring: 0.4, explaining: 0.8, done: 1 }; // shares of the work, as it usually goes
const WORDS = {
  received: "Received, waits for its turn",
  probing: "Reading what the file is",
  decoding: "Taking frames out of it",
  scoring: "Scoring the frames",
  explaining: "Drawing where the detector looked",
  done: "Done",
};
const ASK_AGAIN_MS = 2000;

export function words({ step, count, of }) {
  return of ? `${WORDS[step]}: ${count} of ${of}` : WORDS[step];
}

export function share({ step, count, of }) {
  const next = STEPS[Math.min(STEPS.indexOf(step) + 1, STEPS.length - 1)];
  return BEGINS[step] + (of ? (count / of) * (BEGINS[next] - BEGINS[step]) : 0);
}

// Calls told(progress) as a file goes on; resolves with its record, or with null where it was deleted or is another's.
export function follow(id, told) {
  const address = `/api/v1/detections/${id}`;
  return new Promise((resolve) => {
    const source = new EventSource(`${address}/events`);
    const end = (record) => {
      source.close();
      resolve(record);
    };
    for (const step of STEPS.slice(0, -1)) source.addEventListener(step, (event) => told(JSON.parse(event.data)));
    source.addEventListener("done", (event) => end(JSON.parse(event.data)));
    source.addEventListener("gone", () => end(null));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) ask(address, told).then(resolve); // else the browser connects again by itself
    });
  });
}

async function ask(address, told) {
  for (;;) {
    const answer = await fetch(address).catch(() => null);
    if (answer && [401, 403, 404].includes(answer.status)) return null;
    if (answer?.ok) {
      const record = await answer.json();
      if (record.state === "done") return record;
      told(record.progress);
    }
    await new Promise((next) => setTimeout(next, ASK_AGAIN_MS));
  }
}
