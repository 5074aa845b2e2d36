// Loads a part of its page anew until it is complete.

const EVERY_MS = 2000;

for (;;) {
  const part = document.querySelector("[data-live]");
  if (!part) break;
  await new Promise((next) => setTimeout(next, EVERY_MS));
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok) continue;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(part.id);
  if (fresh.outerHTML === part.outerHTML) continue;
  const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  part.replaceWith(fresh);
  if (focused) fresh.querySelector(`[href="${focused}"]`)?.focus();
}
