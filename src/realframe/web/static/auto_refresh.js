// Reloads the part of the page that is marked data-auto-refresh until the mark is gone.

const INTERVAL_MS = 2000;

for (;;) {
  const part = document.querySelector("[data-auto-refresh]");
  if (!part) break;
  await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  const response = await fetch(location.href).catch(() => null);
  if (!response?.ok) continue;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const newPart = page.getElementById(part.id);
  if (newPart.outerHTML === part.outerHTML) continue;
  const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  part.replaceWith(newPart);
  if (focused) newPart.querySelector(`[href="${focused}"]`)?.focus();
}
