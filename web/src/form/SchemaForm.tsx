import { useState } from 'react'
import { useI18n } from '../i18n'
import { Button, IconButton } from '../ui/Button'
import { Switch } from '../ui/Choice'
import { cx } from '../ui/cx'
import { FieldSet, Notes } from '../ui/Field'
import { PlusIcon, TrashIcon } from '../ui/icons'
import { NumberInput } from '../ui/NumberInput'
import { Select } from '../ui/Select'
import { TagInput } from '../ui/TagInput'
import { TextArea, TextInput } from '../ui/TextInput'
import { useEditing, useFinding, useValue } from './editing'
import { type Path, pointer } from './json/change'
import { isObject } from './json/text'
import { MapField } from './MapField'
import { RawField } from './RawField'
import css from './SchemaForm.module.css'
import { deref, faultOf, fieldText, freshItem, helpOf, kindOf, labelOf, type Schema } from './schema'

interface Place {
  /** Where the value stands in the document. */
  at: Path
  /** Its names without the indexes of lists, for its texts. */
  names: readonly string[]
  /** With its reference followed. */
  schema: Schema
  /** The document that references point into. */
  root: Schema
  required?: boolean
  /** Only for those who hear the page, where a heading says the same. */
  hideLabel?: boolean
}

/** The fields of an object, in the order of its schema. Members that the schema does not know are kept and listed. */
export function SchemaFields({
  at,
  names = at,
  schema,
  root = schema,
  only,
  without = [],
}: {
  at: Path
  names?: readonly string[]
  schema: Schema
  root?: Schema
  /** These and no others, in this order. */
  only?: readonly string[]
  /** Not these: they are edited elsewhere. */
  without?: readonly string[]
}) {
  const all = Object.keys(schema.properties ?? {})
  const { value } = useValue(at)
  const shown = only ? only.filter((n) => all.includes(n)) : all.filter((n) => !without.includes(n))
  return (
    <div className={css.grid}>
      {shown.map((name) => (
        <SchemaField
          key={name}
          at={[...at, name]}
          names={[...names, name]}
          schema={deref(schema.properties?.[name] as Schema, root)}
          root={root}
          required={isObject(value) && schema.required?.includes(name)}
        />
      ))}
      {!only && <Kept at={at} known={all} />}
    </div>
  )
}

/** What stands at a place and no field shows: it survives every save. */
export function Kept({ at, known }: { at: Path; known: readonly string[] }) {
  const { t } = useI18n()
  const { value } = useValue(at)
  const { problems } = useEditing()
  const unknown = isObject(value) ? Object.entries(value).filter(([n]) => !known.includes(n)) : []
  if (unknown.length === 0) return null
  return (
    <div className={css.kept}>
      <b>{t('form.kept')}</b>
      <span className={css.help}>{t('form.keptHelp')}</span>
      <ul>
        {unknown.map(([name, v]) => {
          const refused = problems.find((p) => p.path === pointer([...at, name]) && p.severity === 'error')
          return (
            <li key={name} data-at={pointer([...at, name])}>
              <code>{name}</code>
              <code className="truncate muted">{JSON.stringify(v)}</code>
              {refused && <span className="bad">{refused.message}</span>}
            </li>
          )
        })}
      </ul>
    </div>
  )
}

const wide = ['group', 'list', 'map', 'json', 'lines', 'words']

/** One value with the control that suits its schema. */
export function SchemaField(p: Place) {
  const kind = kindOf(p.schema, p.root)
  const Control = {
    text: TextField,
    lines: TextField,
    duration: TextField,
    size: TextField,
    number: NumberField,
    switch: SwitchField,
    choice: ChoiceField,
    words: WordsField,
    map: MapOf,
    group: GroupField,
    list: ListField,
    json: RawOf,
  }[kind]
  return (
    <div className={cx(wide.includes(kind) && css.wide, kind === 'switch' && css.switch)} data-at={pointer(p.at)}>
      <Control {...p} />
    </div>
  )
}

/** Label, help and findings of a leaf; `left` says that the person has been there. */
function useTexts(p: Place, value: unknown, left: boolean) {
  const i18n = useI18n()
  const found = useFinding(p.at)
  const own = left ? faultOf(p.schema, value, Boolean(p.required), i18n) : undefined
  return {
    label: labelOf(p.names, i18n),
    help: helpOf(p.names, p.schema, i18n),
    error: own ?? found.error,
    warning: found.warning,
    required: p.required,
    hideLabel: p.hideLabel,
  }
}

function TextField(p: Place) {
  const { value, set, readOnly } = useValue(p.at)
  const [left, setLeft] = useState(false)
  const texts = useTexts(p, value, left)
  if (value !== undefined && typeof value !== 'string') return <RawOf {...p} />
  const kind = kindOf(p.schema, p.root)
  const props = {
    ...texts,
    value: value ?? '',
    readOnly,
    placeholder: p.schema.default === undefined ? undefined : String(p.schema.default),
    onChange: (e: { target: { value: string } }) => set(e.target.value),
    onBlur: () => setLeft(true),
  }
  if (kind === 'lines' || p.names.at(-1) === 'description') return <TextArea {...props} mono={kind === 'lines'} rows={3} />
  return <TextInput {...props} mono={!/^(name|summary)$/.test(p.names.at(-1) ?? '')} />
}

function NumberField(p: Place) {
  const { value, set, readOnly } = useValue(p.at)
  const { t } = useI18n()
  const [left, setLeft] = useState(false)
  const texts = useTexts(p, value, left)
  if (value !== undefined && typeof value !== 'number') return <RawOf {...p} />
  const byDefault = p.schema.default
  return (
    <NumberInput
      {...texts}
      help={
        byDefault === undefined ? texts.help : `${texts.help ?? ''} ${t('form.default', { value: String(byDefault) })}`.trim()
      }
      value={value}
      onChange={set}
      onBlur={() => setLeft(true)}
      min={p.schema.minimum}
      max={p.schema.maximum}
      whole={p.schema.type === 'integer'}
      disabled={readOnly}
    />
  )
}

function SwitchField(p: Place) {
  const { value, choose, readOnly } = useValue(p.at)
  const { label, help, error, warning } = useTexts(p, value, false)
  if (value !== undefined && typeof value !== 'boolean') return <RawOf {...p} />
  const byDefault = p.schema.default ?? false
  return (
    <>
      <Switch
        label={label}
        help={help}
        checked={value ?? Boolean(byDefault)}
        disabled={readOnly}
        aria-invalid={error ? true : undefined}
        onChange={(e) => choose(e.target.checked, byDefault)}
      />
      <Notes id={pointer(p.at)} label={label} error={error} warning={warning} />
    </>
  )
}

function ChoiceField(p: Place) {
  const i18n = useI18n()
  const { value, set, readOnly } = useValue(p.at)
  const texts = useTexts(p, value, false)
  const name = (v: string) => fieldText(p.names, i18n, `=${v}`) ?? v
  const known = p.schema.enum ?? []
  const byDefault = p.schema.default
  const written = typeof value === 'string' ? value : undefined
  if (value !== undefined && written === undefined) return <RawOf {...p} />
  return (
    <Select
      {...texts}
      disabled={readOnly}
      value={written ?? ''}
      onChange={(e) => set(e.target.value)}
      options={[
        ...(p.required && written
          ? []
          : [
              {
                value: '',
                label:
                  typeof byDefault === 'string' ? i18n.t('form.byDefault', { value: name(byDefault) }) : i18n.t('form.notSet'),
              },
            ]),
        ...known.map((v) => ({ value: v, label: name(v) })),
        ...(written && !known.includes(written) ? [{ value: written, label: written }] : []),
      ]}
    />
  )
}

function WordsField(p: Place) {
  const i18n = useI18n()
  const { value, set, readOnly } = useValue(p.at)
  const texts = useTexts(p, value, false)
  if (value !== undefined && !(Array.isArray(value) && value.every((v) => typeof v === 'string'))) return <RawOf {...p} />
  const words = (value as string[] | undefined) ?? []
  if (readOnly) return <TextInput {...texts} value={words.join(', ')} readOnly mono />
  const mono = !/^(tags|owners)$/.test(p.names.at(-1) ?? '')
  return <TagInput {...texts} value={words} onChange={set} mono={mono} placeholder={fieldText(p.names, i18n, '…')} />
}

function MapOf(p: Place) {
  const { value, set, readOnly } = useValue(p.at)
  const texts = useTexts(p, value, false)
  const plain = isObject(value) && Object.values(value).every((v) => typeof v === 'string')
  if (value !== undefined && !plain) return <RawOf {...p} />
  return <MapField {...texts} value={value as Record<string, string> | undefined} onChange={set} readOnly={readOnly} />
}

function RawOf(p: Place) {
  const { value, set, readOnly } = useValue(p.at)
  const texts = useTexts(p, value, false)
  return <RawField {...texts} value={value} onChange={set} readOnly={readOnly} />
}

function GroupField(p: Place) {
  const i18n = useI18n()
  const { value } = useValue(p.at)
  const label = labelOf(p.names, i18n)
  const found = useFinding(p.at, Object.keys(p.schema.properties ?? {}))
  if (value !== undefined && !isObject(value)) return <RawOf {...p} />
  return (
    <fieldset className={css.group}>
      <legend className={p.hideLabel ? 'visually-hidden' : undefined}>{label}</legend>
      <SchemaFields at={p.at} names={p.names} schema={p.schema} root={p.root} />
      <Notes id={pointer(p.at)} label={label} {...found} />
    </fieldset>
  )
}

function ListField(p: Place) {
  const i18n = useI18n()
  const { t } = i18n
  const { value, set, readOnly } = useValue(p.at)
  const label = labelOf(p.names, i18n)
  const items = Array.isArray(value) ? value : []
  const found = useFinding(
    p.at,
    items.map((_, i) => String(i)),
  )
  if (value !== undefined && !Array.isArray(value)) return <RawOf {...p} />
  const item = deref(p.schema.items as Schema, p.root)
  const one = fieldText(p.names, i18n, '#') ?? label
  return (
    <FieldSet label={label} help={helpOf(p.names, p.schema, i18n)} hideLabel={p.hideLabel} {...found}>
      <div className={css.items}>
        {items.map((v, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: an item of a document has no other name
          <div key={i} className={css.item} data-at={pointer([...p.at, String(i)])}>
            <div className={css.itemHead}>
              {t('form.item', { name: one, n: String(i + 1) })}
              {!readOnly && (
                <IconButton
                  small
                  icon={TrashIcon}
                  label={t('form.removeItem', { name: one, n: String(i + 1) })}
                  onClick={() => set(items.filter((_, k) => k !== i))}
                />
              )}
            </div>
            {isObject(v) ? (
              <SchemaFields at={[...p.at, String(i)]} names={p.names} schema={item} root={p.root} />
            ) : (
              <RawOf {...p} at={[...p.at, String(i)]} schema={item} hideLabel />
            )}
          </div>
        ))}
        {!readOnly && items.length < (p.schema.maxItems ?? Number.POSITIVE_INFINITY) && (
          <div>
            <Button small icon={PlusIcon} onClick={() => set([...items, freshItem(item, p.root)])}>
              {t('form.addItem', { name: one })}
            </Button>
          </div>
        )}
      </div>
    </FieldSet>
  )
}
