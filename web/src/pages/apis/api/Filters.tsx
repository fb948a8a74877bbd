import type { Filter } from '../../../api/schema'
import { useEditing, useFinding, useValue } from '../../../form/editing'
import { type Path, pointer, valueAt } from '../../../form/json/change'
import { isObject } from '../../../form/json/text'
import { RawField } from '../../../form/RawField'
import { Kept, SchemaField, SchemaFields } from '../../../form/SchemaForm'
import { deref, labelOf, type Schema } from '../../../form/schema'
import { useI18n } from '../../../i18n'
import { RadioCards, Switch } from '../../../ui/Choice'
import { Notes } from '../../../ui/Field'
import { Select } from '../../../ui/Select'
import css from './Api.module.css'

/** What a filter begins with when it is turned on. */
export function freshOptions(filter: Filter): unknown {
  if (filter.name === 'auth') return { any: [{ key: {} }] }
  return (filter.jsonSchema as Schema).type === 'array' ? [] : {}
}

/** Every filter of the catalogue in its order, on or off, with its options. */
export function Filters({ catalogue }: { catalogue: Filter[] }) {
  const { t } = useI18n()
  const forApi = catalogue.filter((f) => f.scope.includes('api')).sort((a, b) => a.order - b.order)
  return (
    <div className={css.filters}>
      {forApi.map((f) => (
        <FilterCard key={f.name} filter={f} />
      ))}
      <KeptFilters at={['filters']} catalogue={catalogue} label={t('api.keptFilters')} />
    </div>
  )
}

function KeptFilters({ at, catalogue, label }: { at: Path; catalogue: Filter[]; label: string }) {
  const { value } = useValue(at)
  const known = catalogue.map((f) => f.name)
  if (!isObject(value) || Object.keys(value).every((n) => known.includes(n))) return null
  return (
    <section aria-label={label}>
      <Kept at={at} known={known} />
    </section>
  )
}

function FilterCard({ filter }: { filter: Filter }) {
  const i18n = useI18n()
  const { t, language } = i18n
  const { base, set, readOnly } = useEditing()
  const at = ['filters', filter.name]
  const { value } = useValue(at)
  const name = labelOf(at, i18n)
  const on = value !== undefined && value !== 'off'
  const found = useFinding(at, innerNames(filter, value))
  const toggle = (next: boolean) => {
    const before = valueAt(base, at)
    set(
      at,
      next ? (before === undefined || before === 'off' ? freshOptions(filter) : before) : before === 'off' ? 'off' : undefined,
    )
  }
  const auth = filter.name === 'auth'
  return (
    <section
      id={`filter-${filter.name}`}
      aria-label={name}
      className={`${css.filter} ${css.part}`}
      data-off={on || auth ? undefined : ''}
      data-at={pointer(at)}
    >
      <div className={css.filterHead}>
        <div>
          <h3>{name}</h3>
          <p>{filter.summary[language] ?? filter.summary.en}</p>
          <Notes id={pointer(at)} label={name} {...found} />
        </div>
        {!auth && (
          <div className={css.aside}>
            <span aria-hidden>{t(on ? 'api.on' : 'api.off')}</span>
            <Switch
              label={<span className="visually-hidden">{t('api.filterToggle', { name })}</span>}
              checked={on}
              disabled={readOnly}
              onChange={(e) => toggle(e.target.checked)}
            />
          </div>
        )}
      </div>
      {(on || auth) && (
        <div className={css.filterBody}>
          <FilterOptions filter={filter} at={at} names={at} />
        </div>
      )}
    </section>
  )
}

/** The members or items that have fields of their own. */
function innerNames(filter: Filter, value: unknown): string[] {
  const schema = filter.jsonSchema as Schema
  if (Array.isArray(value)) return value.map((_, i) => String(i))
  return Object.keys(schema.properties ?? {})
}

/** The options of one filter at a place: of the API, or of an endpoint. */
export function FilterOptions({ filter, at, names }: { filter: Filter; at: Path; names: Path }) {
  const { value, set, readOnly } = useValue(at)
  const i18n = useI18n()
  const schema = filter.jsonSchema as Schema
  if (filter.name === 'auth' && (value === undefined || isObject(value)))
    return <AuthOptions at={at} names={names} schema={schema} />
  if (schema.type === 'array') {
    return <SchemaField at={at} names={names} schema={deref(schema, schema)} root={schema} hideLabel />
  }
  if (schema.properties && isObject(value)) return <SchemaFields at={at} names={names} schema={schema} />
  return <RawField label={labelOf(names, i18n)} hideLabel value={value} onChange={set} readOnly={readOnly} />
}

type Who = 'any' | 'all' | 'open'

/** Who may call: decided first, then how. */
function AuthOptions({ at, names, schema }: { at: Path; names: Path; schema: Schema }) {
  const { t } = useI18n()
  const { value, readOnly } = useValue(at)
  const { base, set } = useEditing()
  const now = isObject(value) ? value : {}
  const who: Who | undefined =
    now.open === true ? 'open' : Array.isArray(now.all) ? 'all' : Array.isArray(now.any) ? 'any' : undefined
  const choose = (next: Who) => {
    if (readOnly || next === who) return
    const { open: _open, any: _any, all: _all, ...rest } = now
    const before = valueAt(base, at)
    const had = isObject(before) ? before[next] : undefined
    const methods = Array.isArray(now.any) ? now.any : Array.isArray(now.all) ? now.all : undefined
    // Methods move along; a way back finds what the published version says.
    if (next === 'open') set(at, isObject(before) && before.open === true ? before : { ...rest, open: true })
    else set(at, { ...rest, [next]: had ?? methods ?? [{ key: {} }] })
  }
  return (
    <>
      <RadioCards<Who>
        label={t('api.authChoice')}
        value={who}
        onChange={choose}
        error={who === undefined ? t('api.authNone') : undefined}
        options={[
          { value: 'any', label: t('api.authChoiceKey'), help: t('api.authChoiceKeyHelp') },
          { value: 'all', label: t('api.authChoiceAll'), help: t('api.authChoiceAllHelp') },
          { value: 'open', label: t('api.authChoiceOpen'), help: t('api.authChoiceOpenHelp') },
        ]}
      />
      {who && who !== 'open' && (
        <div style={{ marginTop: 16 }}>
          <SchemaFields at={at} names={names} schema={schema} only={[who, 'anonymous', 'strip']} />
        </div>
      )}
      <Kept at={at} known={Object.keys(schema.properties ?? {})} />
    </>
  )
}

/** The filters of one endpoint: as the API has them, off, or with options of their own. */
export function Overrides({ at, catalogue }: { at: Path; catalogue: Filter[] }) {
  const i18n = useI18n()
  const { t } = i18n
  const { value: all } = useEditing()
  const place = [...at, 'filters']
  return (
    <>
      {catalogue
        .filter((f) => f.scope.includes('endpoint'))
        .sort((a, b) => a.order - b.order)
        .map((f) => (
          <Override key={f.name} filter={f} at={[...place, f.name]} apiHas={valueAt(all, ['filters', f.name]) !== undefined} />
        ))}
      <KeptFilters at={place} catalogue={catalogue} label={t('api.keptFilters')} />
    </>
  )
}

type How = 'inherit' | 'off' | 'own'

function Override({ filter, at, apiHas }: { filter: Filter; at: Path; apiHas: boolean }) {
  const i18n = useI18n()
  const { t } = i18n
  const { value: all, base, set } = useEditing()
  const { value, readOnly } = useValue(at)
  const names = ['filters', filter.name]
  const name = labelOf(names, i18n)
  const how: How = value === undefined ? 'inherit' : value === 'off' ? 'off' : 'own'
  const found = useFinding(at, innerNames(filter, value))
  const choose = (next: How) => {
    if (next === 'inherit') return set(at, undefined)
    if (next === 'off') return set(at, 'off')
    const before = valueAt(base, at)
    const own = before === undefined || before === 'off' ? (valueAt(all, names) ?? freshOptions(filter)) : before
    set(at, own === 'off' ? freshOptions(filter) : own)
  }
  return (
    <div className={css.override} data-at={pointer(at)}>
      <div className={css.overrideHead}>
        <span>{name}</span>
        <Select
          label={t('api.overrideOf', { name })}
          hideLabel
          disabled={readOnly}
          value={how}
          onChange={(e) => choose(e.target.value as How)}
          options={[
            { value: 'inherit', label: t('api.inherit') },
            ...(apiHas || how === 'off' ? [{ value: 'off', label: t('api.turnedOff') }] : []),
            { value: 'own', label: t('api.own') },
          ]}
        />
      </div>
      <Notes id={pointer(at)} label={name} {...found} />
      {how === 'own' && <FilterOptions filter={filter} at={at} names={names} />}
    </div>
  )
}
