// Headings of names and numbers become buttons that sort the rows below them.
for (const head of document.querySelectorAll("section thead th")) {
  const column = head.cellIndex, body = head.closest("table").tBodies[0];
  if (!head.textContent.trim() || body.rows.length < 2) continue;
  const isNumber = body.rows[0].cells[column].dataset.key !== undefined;
  const key = row => isNumber ? +row.cells[column].dataset.key : row.cells[column].textContent;
  const order = (a, b) => isNumber ? key(a) - key(b) : key(a).localeCompare(key(b));
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  head.ariaSort = "none";
  button.addEventListener("click", () => {
    const descending = head.ariaSort === "none" ? isNumber : head.ariaSort === "ascending";
    for (const other of head.parentElement.cells) if (other.ariaSort) other.ariaSort = "none";
    head.ariaSort = descending ? "descending" : "ascending";
    body.append(...[...body.rows].sort((a, b) => descending ? order(b, a) : order(a, b)));
  });
}
