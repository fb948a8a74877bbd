import { lazy, Suspense } from 'react'
import type { EditorProps } from './editor/Editor'
import { Skeleton } from './States'

export type { EditorProps as JsonEditorProps } from './editor/Editor'

const Editor = lazy(() => import('./editor/Editor'))

/** A JSON text with line numbers and marks at what is wrong; fetched when it is first shown. */
export function JsonEditor(props: EditorProps) {
  return (
    <Suspense fallback={<Skeleton height={props.height ?? 420} />}>
      <Editor {...props} />
    </Suspense>
  )
}
