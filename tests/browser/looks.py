"""What is measured on an open page; each function returns what is wrong with it."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

# Which rules: WCAG 2.1 as far as AA, and what axe-core calls best practice.
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")
# In pages of this project the size of targets, too: Django's own lists are set closer.
OWN_TAGS = (*TAGS, "wcag22aa")

# What another colour scheme, and a narrow window, may change.
RULES_OF_LOOKS = (
    "color-contrast",
    "link-in-text-block",
    "scrollable-region-focusable",
)

# What Django's own templates do, in parts of the page that this app does not write.
DJANGO = (
    # The search box of a list has a picture for a label, whose text is empty; its name is
    # the help text below it (contrib/admin/templates/admin/search_form.html).
    ("label-title-only", "#searchbar"),
    # Links in a line of text are told by their colour (admin/css/base.css).
    ("link-in-text-block", ".breadcrumbs a, #changelist-search a"),
    # The list of what is deleted along (delete_confirmation.html).
    ("link-in-text-block", ".delete-confirmation #content ul li a"),
)

RUN = """async ([type, values, known]) => {
  const results = await axe.run(
    {runOnly: {type, values}, resultTypes: ["violations"]});
  const is_known = (rule, target) => known.some(([name, selector]) =>
    name === rule && document.querySelector(target.at(-1))?.matches(selector));
  return results.violations.flatMap(rule => rule.nodes
    .filter(node => !is_known(rule.id, node.target))
    .map(node => `${rule.id} (${rule.impact}): ${node.target.join(" ")}: ` +
      [...node.any, ...node.all, ...node.none].map(check => check.message).join("; ")));
}"""

# The elements that reach furthest out of the window.
OVERFLOW = """() => {
  const root = document.documentElement, width = root.clientWidth;
  if (root.scrollWidth <= width && document.body.scrollWidth <= width) return [];
  const beyond = [...document.body.querySelectorAll("*")].filter(
    element => element.getBoundingClientRect().right > width + 0.5);
  const names = beyond.slice(0, 5).map(element =>
    element.tagName.toLowerCase() + (element.id && `#${element.id}`) +
    [...element.classList].map(name => `.${name}`).join(""));
  return [`${root.scrollWidth} px in a window of ${width} px`, ...names];
}"""

# What looks the same with and without the focus of the keyboard.
UNFOCUSED = """() => {
  const looks = element => [element, element.parentElement, element.labels?.[0]]
    .filter(Boolean).map(one => {
      const style = getComputedStyle(one);
      const outline = style.outlineStyle === "none" || style.outlineWidth === "0px"
        ? "" : `${style.outlineStyle} ${style.outlineWidth} ${style.outlineColor}`;
      return [outline, style.boxShadow, style.borderColor, style.backgroundColor,
        style.textDecorationLine, style.color, style.position, style.left, style.top,
        style.transform, style.clipPath, style.opacity].join();
    }).join();
  const wanted = "a[href], button, input:not([type=hidden]), select, textarea, summary, " +
    "[tabindex='0']";
  const seen = new Set(), wrong = [];
  document.activeElement?.blur();
  for (const element of document.querySelectorAll(wanted)) {
    const name = element.tagName.toLowerCase() +
      [...element.classList].map(name => `.${name}`).join("");
    const kind = `${name} ${element.parentElement.tagName} ${element.parentElement.className}`;
    if (seen.has(kind) || element.disabled || !element.checkVisibility()) continue;
    seen.add(kind);
    const before = looks(element);
    element.focus({focusVisible: true, preventScroll: true});
    if (document.activeElement !== element) continue;
    if (looks(element) === before)
      wrong.push(`${name} in ${element.parentElement.tagName.toLowerCase()}.` +
        `${element.parentElement.className}: ${element.textContent.trim().slice(0, 30)}`);
    element.blur();
  }
  return wrong;
}"""


@cache
def _axe() -> str:
    # Not at once: without the extra [browser] these tests are left out, and say so.
    script = resources.files("axe_playwright_python") / "axe.min.js"
    return script.read_text()


def violations(tab: Any, *, tags: tuple[str, ...] = TAGS) -> list[str]:
    """Return what axe-core finds. tags: of the rules to look at."""
    tab.evaluate(_axe())
    return tab.evaluate(RUN, ["tag", tags, DJANGO])


def violations_of_looks(tab: Any) -> list[str]:
    """Return what axe-core finds that was not there in light and wide."""
    tab.evaluate(_axe())
    return tab.evaluate(RUN, ["rule", RULES_OF_LOOKS, DJANGO])


def overflow(tab: Any) -> list[str]:
    """Return why the page has to be scrolled sideways."""
    return tab.evaluate(OVERFLOW)


def hidden_focus(tab: Any) -> list[str]:
    """Return the kinds of elements that do not show that they have the focus."""
    # From here on the browser takes it that somebody uses the keyboard.
    tab.keyboard.press("Tab")
    return tab.evaluate(UNFOCUSED)
