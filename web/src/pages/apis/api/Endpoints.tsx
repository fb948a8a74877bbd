import { useDeferredValue, useState } from 'react'
import type { Filter } from '../../../api/schema'
import { useEditing, useFinding, useValue } from '../../../form/editing'
import { pointer } from '../../../form/json/change'
import { isObject } from '../../../form/json/text'
import { RawField } from '../../../form/RawField'
import { SchemaFields } from '../../../form/SchemaForm'
import { deref, labelOf, type Schema } from '../../../form/schema'
import { useI18n } from '../../../i18n'
import { Button, IconButton } from '../../../ui/Button'
import { Notes } from '../../../ui/Field'
import { ChevronDownIcon, ChevronRightIcon, PlusIcon, TrashIcon } from '../../../ui/icons'
import { Stack } from '../../../ui/Page'
import { StatusPill } from '../../../ui/Status'
import { TextInput } from '../../../ui/TextInput'
import css from './Api.module.css'
import { Overrides } from './Filters'
import { endpointName } from './sentences'

/** Rows that are shown at first; an API may have a thousand. */
const page = 100

/** The endpoints as a list; one of them is open. */
export function Endpoints({
  schema,
  catalogue,
  open,
  onOpen,
}: {
  schema: Schema
  catalogue: Filter[]
  /** The index of the one that is open; -1: none. */
  open: number
  onOpen: (index: number) => void
}) {
  const i18n = useI18n()
  const { t } = i18n
  const { value, set, readOnly } = useValue(['endpoints'])
  const all = Array.isArray(value) ? value : []
  const found = useFinding(
    ['endpoints'],
    all.map((_, i) => String(i)),
  )
  const [shown, setShown] = useState(page)
  const [typed, setTyped] = useState('')
  const wanted = useDeferredValue(typed.trim().toLowerCase())
  if (value !== undefined && !Array.isArray(value)) {
    return <RawField label={labelOf(['endpoints'], i18n)} value={value} onChange={set} readOnly={readOnly} />
  }
  const item = deref(schema.properties?.endpoints?.items ?? {}, schema)
  const rows = all
    .map((e, i) => ({ e, i }))
    .filter(
      ({ e, i }) =>
        i === open || !wanted || (isObject(e) && `${endpointName(e)} ${e.summary ?? ''}`.toLowerCase().includes(wanted)),
    )
  const visible = rows.filter(({ i }, n) => n < shown || i === open)
  return (
    <Stack>
      <p className="small muted">{t('api.endpointsHelp')}</p>
      <div data-at="/endpoints">
        <Notes id="endpoints" label={t('api.endpoints')} {...found} />
      </div>
      {all.length > 10 && (
        <TextInput label={t('api.endpointFind')} value={typed} onChange={(e) => setTyped(e.target.value)} mono />
      )}
      {visible.length > 0 && (
        <ul className={css.endpoints} data-hole="">
          {visible.map(({ e, i }) => (
            <Row
              key={i}
              index={i}
              endpoint={e}
              schema={item}
              root={schema}
              catalogue={catalogue}
              open={open === i}
              onOpen={() => onOpen(open === i ? -1 : i)}
              onRemove={() => {
                onOpen(-1)
                set(all.filter((_, k) => k !== i))
              }}
            />
          ))}
        </ul>
      )}
      <div>
        {visible.length < rows.length && (
          <Button small look="ghost" onClick={() => setShown(shown + page)}>
            {t('api.endpointMore', { count: Math.min(page, rows.length - visible.length) })}
          </Button>
        )}
        {!readOnly && (
          <Button
            small
            icon={PlusIcon}
            onClick={() => {
              set([...all, { path: '/' }])
              onOpen(all.length)
            }}
          >
            {t('api.endpointAdd')}
          </Button>
        )}
      </div>
    </Stack>
  )
}

function Row({
  index,
  endpoint,
  schema,
  root,
  catalogue,
  open,
  onOpen,
  onRemove,
}: {
  index: number
  endpoint: unknown
  schema: Schema
  root: Schema
  catalogue: Filter[]
  open: boolean
  onOpen: () => void
  onRemove: () => void
}) {
  const { t } = useI18n()
  const { problems, readOnly } = useEditing()
  const at = ['endpoints', String(index)]
  const { value, set } = useValue(at)
  const name = (isObject(endpoint) && endpointName(endpoint)) || t('api.endpointNew')
  const mine = problems.filter((p) => p.severity === 'error' && (p.path === pointer(at) || p.path.startsWith(`${pointer(at)}/`)))
  const Chevron = open ? ChevronDownIcon : ChevronRightIcon
  const filters = isObject(endpoint) && isObject(endpoint.filters) ? Object.keys(endpoint.filters).length : 0
  return (
    <li data-at={pointer(at)}>
      <div className={css.endpointHead}>
        <button type="button" aria-expanded={open} onClick={onOpen}>
          <Chevron size={15} aria-hidden />
          <code className="truncate">{name}</code>
          {isObject(endpoint) && typeof endpoint.summary === 'string' && (
            <span className="truncate muted">{endpoint.summary}</span>
          )}
        </button>
        {filters > 0 && (
          <span className={css.chip}>
            {t('api.filters')} {filters}
          </span>
        )}
        {mine.length > 0 && (
          <StatusPill shape="square" tone="bad">
            {t('api.endpointProblems', { count: mine.length })}
          </StatusPill>
        )}
        {!readOnly && <IconButton small icon={TrashIcon} label={t('api.endpointRemove', { name })} onClick={onRemove} />}
      </div>
      {open && (
        <div className={css.endpointBody}>
          {isObject(value) ? (
            <>
              <SchemaFields at={at} names={['endpoints']} schema={schema} root={root} without={['filters']} />
              <Overrides at={at} catalogue={catalogue} />
            </>
          ) : (
            <RawField label={name} hideLabel value={value} onChange={set} readOnly={readOnly} />
          )}
        </div>
      )}
    </li>
  )
}
