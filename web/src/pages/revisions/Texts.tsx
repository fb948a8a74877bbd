import { useMemo } from 'react'
import type { ChangedTexts } from '../../api/schema'
import { useI18n } from '../../i18n'
import { cx } from '../../ui/cx'
import { brief, compare } from './fields'
import { diffLines, fold, linesOf } from './lines'
import css from './Revisions.module.css'

/** Fields that the list shows; the lines have the rest. */
const mostFields = 100

/** A document field by field, where sentences would say too little. */
export function Fields({ texts }: { texts: ChangedTexts }) {
  const { t } = useI18n()
  const all = useMemo(() => compare(texts.before, texts.after), [texts])
  if (all.length === 0) return <p className={cx(css.pad, 'muted')}>{t('diff.same')}</p>
  return (
    <>
      <table className={css.fields}>
        <thead>
          <tr>
            <th scope="col">{t('revisions.field')}</th>
            <th scope="col">{t('revisions.before')}</th>
            <th scope="col">{t('revisions.after')}</th>
          </tr>
        </thead>
        <tbody>
          {all.slice(0, mostFields).map((f) => (
            <tr key={f.path}>
              <td>
                <code>{f.path}</code>
              </td>
              <td>{f.kind !== 'added' && <del>{brief(f.before)}</del>}</td>
              <td>{f.kind !== 'removed' && <ins>{brief(f.after)}</ins>}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {all.length > mostFields && (
        <p className={cx(css.more, 'muted')}>{t('revisions.moreFields', { count: all.length - mostFields })}</p>
      )}
    </>
  )
}

/** Two documents line by line. */
export function Lines({ texts, name }: { texts: ChangedTexts; name: string }) {
  const { t } = useI18n()
  const { lines, exact } = useMemo(() => {
    const found = diffLines(linesOf(texts.before), linesOf(texts.after))
    return { lines: fold(found.lines), exact: found.exact }
  }, [texts])
  if (lines.every((l) => l.kind === 'gap')) return <p className={cx(css.pad, 'muted')}>{t('diff.same')}</p>
  const sign = { added: '+', removed: '−', same: ' ' }
  const said = { added: t('revisions.added'), removed: t('revisions.removed'), same: '' }
  return (
    <>
      {!exact && <p className={cx(css.pad, 'muted')}>{t('revisions.manyLines')}</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be within the keyboard's reach */}
      {/* biome-ignore lint/a11y/useSemanticElements: it is no set of fields */}
      <div className={css.diff} tabIndex={0} role="group" aria-label={t('revisions.diffOf', { name })}>
        <ol>
          {lines.map((l) =>
            l.kind === 'gap' ? (
              <li key={`gap ${lines.indexOf(l)}`} className={css.gap}>
                {t('revisions.lines', { count: l.count })}
              </li>
            ) : (
              <li key={`${l.before} ${l.after}`} className={cx(css.line, l.kind !== 'same' && css[l.kind])}>
                <span className={css.no}>{l.before}</span>
                <span className={css.no}>{l.after}</span>
                <span aria-hidden>{sign[l.kind]}</span>
                <span>
                  {said[l.kind] && <span className="visually-hidden">{said[l.kind]} </span>}
                  {l.text}
                </span>
              </li>
            ),
          )}
        </ol>
      </div>
    </>
  )
}
