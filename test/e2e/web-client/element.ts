/** Elements of the page, without what a framework would bring. */
type Child = Node | string | undefined;

export function element(tag: string, properties: { className?: string; title?: string }, ...children: Child[]): HTMLElement {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

/** The one element that the page has for sure. */
export function the<E extends HTMLElement = HTMLElement>(selector: string): E {
  const found = document.querySelector<E>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
}

/** What stands in the form, by the names of its fields. */
export function fields(form: HTMLFormElement): Record<string, string> {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, typeof value === 'string' ? value.trim() : '']));
}

/** A round with the first letter, in a colour that is the same everywhere. */
export function face(id: string, name: string): HTMLElement {
  const hue = [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 360, 7);
  const made = element('span', { className: 'face' }, [...name.replace(/^[@#!]/, '')][0]?.toUpperCase() ?? '?');
  made.style.background = `hsl(${hue} 45% 42%)`;
  made.ariaHidden = 'true';
  return made;
}
