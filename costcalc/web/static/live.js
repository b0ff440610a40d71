// Answers while one types: the form is sent as it would be, and what comes back is put in place.
// The server writes all that is shown; a run has one address with JavaScript and without.
import { buttons } from "/static/copy.js";

const PAUSE = 300; // milliseconds without a key before the form is sent
const PARTS = ["headline", "rest"];

export function live(form) {
  const slow = ["compare", "plan"].includes(form.getAttribute("action").slice(1));
  let waiting = 0;
  let asked = null;
  let last = said(form);

  async function send() {
    clearTimeout(waiting);
    const now = said(form);
    if (now === last) return;
    last = now;
    asked?.abort();
    const mine = (asked = new AbortController());
    busy(true);
    try {
      const reply = await fetch(form.getAttribute("action"), {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        headers: { "X-Costcalc-Part": "answer" },
        signal: mine.signal,
        credentials: "omit",
      });
      if (!(reply.headers.get("Content-Type") ?? "").startsWith("text/html")) throw reply.status;
      show(new DOMParser().parseFromString(await reply.text(), "text/html"), form);
      if (reply.redirected) history.replaceState(null, "", reply.url);
    } catch (error) {
      if (mine.signal.aborted) return;
      failed("No answer; the button asks again.");
      last = "";
    }
    if (asked === mine) busy(false);
  }

  if (!slow) {
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(send, PAUSE);
    });
  }
  form.addEventListener("change", () => {
    if (!slow) send();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    last = "";
    send();
  });
}

function said(form) {
  return new URLSearchParams(new FormData(form)).toString();
}

function busy(is) {
  document.querySelector(".layout").setAttribute("aria-busy", String(is));
}

function tell(words) {
  document.querySelector("#status").textContent = words;
}

// Without an answer nothing of the last one stays: it was to another question.
function failed(words) {
  const told = document.createElement("section");
  told.className = "problems";
  told.textContent = words;
  document.querySelector("#headline").replaceChildren(told);
  document.querySelector("#rest").replaceChildren();
  tell(words);
}

// Put an answer in place: what was open stays open, problems stand at their fields.
function show(answer, form) {
  const open = new Set(opened(document));
  for (const id of PARTS) {
    const made = answer.querySelector(`#${id}`);
    if (made) document.querySelector(`#${id}`).replaceChildren(...made.childNodes);
  }
  for (const details of document.querySelectorAll("#rest details")) {
    if (open.has(name(details))) details.open = true;
  }
  if (answer.title) document.title = answer.title;
  problems(form);
  buttons(document.querySelector("#rest"));
  const summary = document.querySelector("#summary, #problems-title");
  tell(summary ? summary.textContent : "");
}

function opened(inside) {
  return [...inside.querySelectorAll("#rest details[open]")].map(name);
}

function name(details) {
  const code = details.querySelector("summary code");
  return (code ?? details.querySelector("summary")).textContent.replace(/^\d+ /, "");
}

function problems(form) {
  for (const field of form.querySelectorAll(".field")) {
    const input = field.querySelector("input, select, textarea");
    const links = document.querySelectorAll(`.problems a[href="#${input.id}"]`);
    field.querySelector(".problem")?.remove();
    field.classList.toggle("wrong", links.length > 0);
    const hint = field.querySelector(".hint");
    const told = hint ? [hint.id] : [];
    if (links.length) {
      const words = document.createElement("p");
      words.className = "problem";
      words.id = `${input.id}-problem`;
      words.textContent = [...links].map((a) => a.parentElement.textContent.trim()).join("\n");
      field.append(words);
      told.push(words.id);
      input.setAttribute("aria-invalid", "true");
    } else {
      input.removeAttribute("aria-invalid");
    }
    if (told.length) input.setAttribute("aria-describedby", told.join(" "));
    else input.removeAttribute("aria-describedby");
  }
}
