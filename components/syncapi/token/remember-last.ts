/** `make`, which is pure, remembering its last result: when a message wakes thousands, nearly all of them ask for the same from the same. Arguments are the same when they are identical. */
export function rememberLast<Given extends readonly unknown[], Result>(make: (...given: Given) => Result): (...given: Given) => Result {
  let last: { readonly given: Given; readonly result: Result } | undefined;
  return (...given) => {
    if (last === undefined || given.some((value, index) => value !== last!.given[index])) last = { given, result: make(...given) };
    return last.result;
  };
}
