import type { Author, Change, Kind } from '../../api/schema'
import type { I18n } from '../../i18n'

const named = {
  api: 'revisions.theApi',
  policy: 'revisions.thePolicy',
  certificate: 'revisions.theCertificate',
  secret: 'revisions.theSecret',
  document: 'revisions.theDocument',
} as const satisfies Record<Kind, string>

/** The page of an object; the other kinds have none yet. */
export function objectPath(kind: Kind, id: string): string | undefined {
  return kind === 'api' ? `/apis/${encodeURIComponent(id)}` : undefined
}

/** What the object of a change is called where several kinds stand together: its name then, where it is known. */
export function objectName(c: Pick<Change, 'kind' | 'id' | 'name'>, { t }: I18n): string {
  return t(named[c.kind], { name: c.name ?? c.id })
}

/** What a change did, in one sentence. */
export function changeText(c: Omit<Change, 'org'>, i18n: I18n): string {
  const name = objectName(c, i18n)
  if (!c.before) return i18n.t('revisions.created', { name })
  return i18n.t(c.after ? 'revisions.updated' : 'revisions.deleted', { name })
}

/** What a revision did: its first change, and how many more there are. */
export function changesText(changes: Change[], i18n: I18n): string {
  const [first, ...more] = changes
  if (!first) return ''
  const text = changeText(first, i18n)
  return more.length > 0 ? i18n.t('revisions.andMore', { first: text, count: more.length }) : text
}

/** Who made a revision, and by what. */
export function authorText(a: Author, { t }: I18n): string {
  if (a.kind === 'system') return t('revisions.bySystem')
  return t(a.kind === 'token' ? 'revisions.byToken' : 'revisions.byPerson', { name: a.name || a.id })
}

/** The list of all revisions of one object. */
export function historyPath(kind: Kind, id: string): string {
  return `/revisions?kind=${kind}&id=${encodeURIComponent(id)}`
}
