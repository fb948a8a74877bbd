import { syntaxTree } from '@codemirror/language'
import type { EditorState } from '@codemirror/state'
import { segments } from '../../api/errors'

type Node = ReturnType<typeof syntaxTree>['topNode']

/** Where a JSON pointer (RFC 6901) leads in the text: its value, or the nearest thing around it that is there. */
export function locate(state: EditorState, pointer: string): { from: number; to: number } {
  let node: Node | null = syntaxTree(state).topNode.firstChild
  for (const name of segments(pointer)) {
    if (!node) break
    let next: Node | null = null
    if (node.name === 'Object') {
      for (let p = node.firstChild; p; p = p.nextSibling) {
        if (p.name !== 'Property' || !p.firstChild) continue
        try {
          if (JSON.parse(state.sliceDoc(p.firstChild.from, p.firstChild.to)) === name) next = p.lastChild
        } catch {
          // A name that is being written.
        }
      }
    } else if (node.name === 'Array') {
      let i = 0
      for (let p = node.firstChild; p; p = p.nextSibling) {
        if (/^[[\],]$/.test(p.name)) continue
        if (i++ === Number(name)) next = p
      }
    }
    if (!next) break
    node = next
  }
  return node ? { from: node.from, to: node.to } : { from: 0, to: 0 }
}
