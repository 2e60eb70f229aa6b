// The composer: counts while one types, keeps the draft in this browser, sends once per text.
const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

function size(text, counts) {
  if (counts === "graphemes") return [...segmenter.segment(text)].length;
  return counts === "utf16" ? text.length : [...text].length;
}

function stored(name) {
  try {
    return localStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

function keep(name, text) {
  try {
    if (text) localStorage.setItem(name, text);
    else localStorage.removeItem(name);
  } catch {
    // A browser that keeps nothing still sends.
  }
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const field = parentElement.querySelector("textarea");
  const left = parentElement.querySelector(".left");
  const send = parentElement.querySelector("button");
  const { labels } = data;
  field.placeholder = labels.placeholder;
  field.setAttribute("aria-label", labels.placeholder);
  parentElement.querySelector(".rules").textContent = labels.rules;
  send.textContent = labels.send;

  const waiting = `${data.draft}-sent`;
  const sent = data.sent !== "" && stored(waiting) === data.sent;
  if (sent) {
    // What was sent is no draft any more; whatever was typed since stays.
    if (stored(data.draft) === stored(`${waiting}-text`)) keep(data.draft, "");
    keep(waiting, "");
    keep(`${waiting}-text`, "");
    delete field.dataset.key;
  }
  if (field.dataset.draft !== data.draft || sent) {
    if (field.dataset.draft !== data.draft) field.dataset.inserted = `${data.insert.serial}`;
    field.dataset.draft = data.draft;
    field.value = stored(data.draft);
  }
  if (field.dataset.inserted !== `${data.insert.serial}`) {
    field.dataset.inserted = `${data.insert.serial}`;
    field.setRangeText(data.insert.text, field.selectionStart, field.selectionEnd, "end");
    keep(data.draft, field.value);
  }

  const show = () => {
    const used = size(field.value.trim(), data.counts);
    const rest = data.most === null ? null : data.most - used;
    left.textContent = rest === null ? "" : labels.left.replace("{n}", rest);
    left.classList.toggle("few", rest !== null && rest >= 0 && rest <= 20);
    left.classList.toggle("over", rest !== null && rest < 0);
    send.disabled = used === 0 || (rest !== null && rest < 0) || data.closed;
    field.style.height = "auto";
    field.style.height = `${Math.min(Math.max(field.scrollHeight + 2, 88), 240)}px`;
  };
  field.oninput = () => {
    keep(data.draft, field.value);
    delete field.dataset.key;
    show();
  };
  const go = () => {
    if (send.disabled) return;
    field.dataset.key ??= crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`;
    send.disabled = true;
    keep(waiting, field.dataset.key);
    keep(`${waiting}-text`, field.value);
    setTriggerValue("send", { text: field.value, key: field.dataset.key, draft: data.draft });
  };
  send.onclick = go;
  field.onkeydown = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      go();
    } else if (event.key === "Escape") field.blur();
  };
  show();
}
