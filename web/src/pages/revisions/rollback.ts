import type { Kind, ObjectRef, Problem } from '../../api/schema'
import type { Permission } from '../../session'

/** What one needs to change objects of a kind. */
export function writePermission(kind: Kind): Permission {
  return kind === 'policy' ? 'policies:write' : (`${kind}s:write` as Permission)
}

/** Whether somebody may change objects of any kind that a revision has. */
export function mayChange(can: (p: Permission) => boolean): boolean {
  return (['apis', 'policies', 'certificates', 'secrets', 'documents'] as const).some((kind) => can(`${kind}:write`))
}

/** Puts problems to the objects that they are about: they name it, or its place in the set. */
export function splitProblems(
  problems: Problem[],
  objects: readonly ObjectRef[],
): { byObject: Map<string, Problem[]>; others: Problem[] } {
  const byObject = new Map<string, Problem[]>()
  const others: Problem[] = []
  for (const p of problems) {
    const { objectKind, objectId, change } = p.params ?? {}
    const at = typeof change === 'number' ? objects[change] : undefined
    const o = objects.find((x) => x.kind === objectKind && x.id === objectId) ?? at
    if (o) byObject.set(`${o.kind}/${o.id}`, [...(byObject.get(`${o.kind}/${o.id}`) ?? []), p])
    else others.push(p)
  }
  return { byObject, others }
}
