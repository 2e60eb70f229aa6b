// The list of tickets and the desk's keys. Every text goes in as textContent, never as HTML.
const KEYS = { j: 1, k: -1 };

function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = text;
  return node;
}

function line(row, labels) {
  const node = element("button", "row");
  node.type = "button";
  node.setAttribute("role", "option");
  node.dataset.id = row.id;
  const top = element("span", "top");
  const who = element("bdi", "who", row.author);
  top.append(who, element("span", "platform", row.platform));
  const age = element("time", "age", row.age);
  age.title = row.when;
  top.append(age);
  const said = element("bdi", "said", row.line);
  said.dir = "auto";
  const foot = element("span", "foot");
  const mood = element("span", `mood ${row.sentiment}`, row.sentiment_word);
  foot.append(mood, element("span", "tag", row.category));
  if (row.priority_word) foot.append(element("span", `tag ${row.priority}`, row.priority_word));
  if (row.trouble) foot.append(element("span", "tag late", row.trouble));
  const clock = element("span", `clock ${row.clock_state}`, row.clock);
  clock.title = row.clock_title;
  foot.append(clock);
  if (row.holder) foot.append(element("bdi", "holder", row.holder));
  node.append(top, said, foot);
  return node;
}

function typing(event) {
  const target = event.composedPath()[0];
  return (
    target instanceof Element &&
    (target.matches("input, textarea, select, [contenteditable=true]") ||
      target.closest("[role=dialog], [role=listbox][data-baseweb]") !== null)
  );
}

function press(name) {
  const button = document.querySelector(`.st-key-${name} button`);
  if (button && !button.disabled) button.click();
}

function focusOn(selector, inside) {
  const host = document.querySelector(selector);
  if (!host) return;
  const root = inside ? [...host.querySelectorAll("*")].find((one) => one.shadowRoot) : null;
  const field = (root ? root.shadowRoot : host).querySelector("textarea, input");
  if (field) field.focus();
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const list = parentElement.querySelector(".list");
  const pick = (id) => {
    for (const row of list.children) row.setAttribute("aria-selected", row.dataset.id === `${id}`);
    setTriggerValue("pick", id);
  };
  list.setAttribute("aria-label", data.labels.list);
  list.replaceChildren(...data.rows.map((row) => line(row, data.labels)));
  for (const row of list.children) {
    const id = Number(row.dataset.id);
    row.setAttribute("aria-selected", id === data.selected);
    row.onclick = () => pick(id);
  }
  const chosen = list.querySelector("[aria-selected=true]");
  if (chosen && list.dataset.shown !== `${data.selected}`) {
    chosen.scrollIntoView({ block: "nearest" });
    list.dataset.shown = `${data.selected}`;
  }

  const onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event)) return;
    const key = event.key;
    if (key in KEYS) {
      const ids = data.rows.map((row) => row.id);
      const now = list.querySelector("[aria-selected=true]");
      const at = now ? ids.indexOf(Number(now.dataset.id)) : -1;
      const next = ids[Math.min(Math.max(at + KEYS[key], 0), ids.length - 1)];
      if (next !== undefined) pick(next);
    } else if (key === "r") focusOn(".st-key-composer", true);
    else if (key === "/") focusOn(".st-key-inbox_words", false);
    else if (key === "a") press("take");
    else if (key === "e") press("resolve");
    else if (key === "?") press("keys");
    else return;
    // Streamlit has keys of its own (R runs the page again).
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  window.addEventListener("keydown", onKey, true);
  return () => window.removeEventListener("keydown", onKey, true);
}
