import type { ReactNode } from 'react'
import type { Difference } from '../api/schema'
import { type I18n, type Key, useI18n } from '../i18n'
import { cx } from '../ui/cx'
import css from './Changes.module.css'
import { said } from './sentences'

/** Sentences that are shown; the JSON has the rest. */
const most = 100

const signs = { added: '+', removed: '−', changed: '~', moved: '↕' }

/** What differs between two documents of an object, a sentence each. */
export function Changes({ differences }: { differences: readonly Difference[] }) {
  const { t } = useI18n()
  if (differences.length === 0) return <p className="muted">{t('diff.same')}</p>
  return (
    <>
      <ul className={css.list}>
        {differences.slice(0, most).map((d) => (
          <li key={`${d.op} ${d.path}`} className={css[d.op]}>
            <span className={css.sign} aria-hidden>
              {signs[d.op]}
            </span>
            <span>
              <Sentence difference={d} />
            </span>
          </li>
        ))}
      </ul>
      {differences.length > most && (
        <p className={cx(css.more, 'muted')}>{t('diff.more', { count: differences.length - most })}</p>
      )}
    </>
  )
}

/** One of them, with the values marked as gone or come. */
function Sentence({ difference: d }: { difference: Difference }): ReactNode {
  const i18n = useI18n()
  const found = said(d, i18n)
  if (!found) return d.message
  const { what, before, after } = found.values
  const values: Record<string, unknown> = {
    ...found.values,
    ...(what !== undefined && { what: <b>{what}</b> }),
    ...(before !== undefined && { before: <del>{before}</del> }),
    ...(after !== undefined && { after: <ins>{after}</ins> }),
  }
  return (i18n.rich as (key: Key, values: Parameters<I18n['rich']>[1]) => ReactNode)(
    found.key,
    values as Parameters<I18n['rich']>[1],
  )
}
