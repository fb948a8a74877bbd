import type { I18n } from '../i18n'

/** What the console reads of a JSON Schema (draft 2020-12); the server writes no other keywords. */
export interface Schema {
  type?: string
  title?: string
  description?: string
  default?: unknown
  enum?: string[]
  format?: string
  pattern?: string
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  required?: string[]
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  items?: Schema
  maxItems?: number
  $ref?: string
  $defs?: Record<string, Schema>
}

/** Follows a reference within its document; what stands beside it, such as a description, wins. */
export function deref(schema: Schema, root: Schema): Schema {
  const name = /^#\/\$defs\/(.+)$/.exec(schema.$ref ?? '')?.[1]
  const target = name === undefined ? undefined : root.$defs?.[name]
  if (!target) return schema
  const { $ref: _, ...beside } = schema
  return { ...deref(target, root), ...beside }
}

/** The control that edits a value; `json` is the raw editor, where there is no better one. */
export type Kind =
  | 'text'
  | 'lines'
  | 'duration'
  | 'size'
  | 'number'
  | 'switch'
  | 'choice'
  | 'words'
  | 'map'
  | 'group'
  | 'list'
  | 'json'

/** Texts longer than this get several lines. */
const long = 1_000

/** Which control edits a value of a schema that was dereferenced. */
export function kindOf(schema: Schema, root: Schema): Kind {
  if (schema.enum) return 'choice'
  switch (schema.type) {
    case 'boolean':
      return 'switch'
    case 'integer':
    case 'number':
      return 'number'
    case 'string':
      if (schema.format === 'duration') return 'duration'
      if (schema.format === 'size') return 'size'
      return (schema.maxLength ?? 0) > long ? 'lines' : 'text'
    case 'array': {
      const item = schema.items && deref(schema.items, root)
      if (item?.type === 'string') return 'words'
      return item?.properties ? 'list' : 'json'
    }
    case 'object': {
      if (schema.properties) return 'group'
      const more = schema.additionalProperties
      return typeof more === 'object' && more.type === 'string' ? 'map' : 'json'
    }
  }
  return 'json'
}

/** What a new item of a list begins with: the objects that it must have. */
export function freshItem(schema: Schema, root: Schema): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const name of schema.required ?? []) {
    const p = schema.properties?.[name] && deref(schema.properties[name], root)
    if (p?.properties) out[name] = freshItem(p, root)
  }
  return out
}

/** A number and a unit, or several such as 1h30m; as the server reads them. */
const duration = /^(?:\d+d|(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+|0)$/
const size = /^\d+(?:B|KiB|MiB|GiB|KB|MB|GB)$/

/** What is wrong with a value by its schema, in a sentence; the server knows more. */
export function faultOf(schema: Schema, value: unknown, required: boolean, { t }: I18n): string | undefined {
  if (value === undefined || value === '') return required ? t('errors.required') : undefined
  if (typeof value === 'string') {
    if (schema.format === 'duration' && !duration.test(value)) return t('form.duration')
    if (schema.format === 'size' && !size.test(value)) return t('form.size')
    if (schema.maxLength !== undefined && [...value].length > schema.maxLength) return t('form.long', { max: schema.maxLength })
    if (schema.pattern !== undefined && !matches(schema.pattern, value)) return t('errors.pattern_mismatch')
  }
  if (typeof value === 'number') {
    const { minimum: min = Number.NEGATIVE_INFINITY, maximum: max = Number.POSITIVE_INFINITY } = schema
    if (value < min || value > max) {
      if (min === Number.NEGATIVE_INFINITY) return t('form.atMost', { max })
      return max === Number.POSITIVE_INFINITY ? t('form.atLeast', { min }) : t('form.between', { min, max })
    }
  }
  return undefined
}

/** A pattern that this browser cannot read is left to the server. */
function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(value)
  } catch {
    return true
  }
}

/** The texts of a field by its names from the root; the nearest ones that exist: of a.b.c, then of b.c, then of c. */
export function fieldText(names: readonly string[], { find }: I18n, suffix = ''): string | undefined {
  for (let i = 0; i < names.length; i++) {
    const found = find(`fields.${names.slice(i).join('.')}${suffix}`)
    if (found !== undefined) return found
  }
  return undefined
}

/** A field's label. What has no text is called by its name: a newer server may know more than this page. */
export function labelOf(names: readonly string[], i18n: I18n): string {
  return fieldText(names, i18n) ?? names.at(-1) ?? ''
}

/** A sentence on a field: the page's own, or the server's, which is English. */
export function helpOf(names: readonly string[], schema: Schema, i18n: I18n): string | undefined {
  return fieldText(names, i18n, '?') ?? (fieldText(names, i18n) === undefined ? schema.description : undefined)
}
