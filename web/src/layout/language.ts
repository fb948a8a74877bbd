/** A language by its own name. */
export function languageName(code: 'en' | 'ko'): string {
  return new Intl.DisplayNames([code], { type: 'language' }).of(code) ?? code
}
