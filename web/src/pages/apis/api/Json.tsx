import { explainProblem } from '../../../api/errors'
import { useI18n } from '../../../i18n'
import { CopyButton } from '../../../ui/Code'
import { JsonEditor } from '../../../ui/JsonEditor'
import { Card, Stack } from '../../../ui/Page'
import { Notice } from '../../../ui/States'
import type { Draft } from './draft'

/** The definition as text. Whatever is written here stays until it is published or discarded. */
export function Json({ draft, readOnly, name }: { draft: Draft; readOnly: boolean; name: string }) {
  const i18n = useI18n()
  const { t } = i18n
  const problems = draft.problems.map((p) => ({ path: p.path, text: explainProblem(p, i18n), severity: p.severity }))
  return (
    <Card title={t('api.json')} aside={<CopyButton text={draft.text} what={t('api.copyJson')} labelled />}>
      <Stack>
        <p className="small muted">{t('api.jsonHelp')}</p>
        {readOnly && <Notice>{t('api.writeDenied')}</Notice>}
        <JsonEditor
          label={t('api.jsonLabel', { name })}
          value={draft.text}
          onChange={draft.write}
          problems={draft.fault ? [] : problems}
          readOnly={readOnly}
          height={560}
        />
      </Stack>
    </Card>
  )
}
