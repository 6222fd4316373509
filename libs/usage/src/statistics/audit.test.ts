import { audit } from './audit';
import { said } from './cubes.test-support';

const entity = { namespace: 'default', entityType: 'dataset', entityName: 'orders' };

test.each([
  ['read', 'read', { accesses: 1, reads: 1 }],
  ['WRITE', 'write', { accesses: 1, writes: 1 }],
  ['unknown', 'unknown', { accesses: 1, unknowns: 1 }],
  ['access', 'unknown', { accesses: 1, unknowns: 1 }],
  ['create', 'create', { creates: 1 }],
  ['update', 'update', { updates: 1 }],
  ['truncate', 'truncate', { truncates: 1 }],
  ['delete', 'delete', { deletes: 1 }],
  ['metadata_change', 'metadata_change', { metadataChanges: 1 }],
  ['METADATA-CHANGE', 'metadata_change', { metadataChanges: 1 }],
  ['metadataChange', 'metadata_change', { metadataChanges: 1 }],
])('the action %s counts as %s', (action, name, measures) => {
  const accessor = { application: 'report', program: 'nightly', programType: 'workflow' };
  expect(said(audit, 'io.weir.audit', { ...entity, action, accessor })).toEqual([
    { measures, dimensions: { ...entity, ...accessor, action: name } },
  ]);
});

test('who did it is not known where the event does not say', () => {
  expect(said(audit, 'io.weir.audit', { ...entity, action: 'read' })[0]?.dimensions).toEqual({
    ...entity,
    action: 'read',
  });
});

test.each([['login'], ['__proto__'], ['constructor'], [''], [undefined], [7]])('the action %p is none of these', (action) => {
  expect(said(audit, 'io.weir.audit', { ...entity, action })).toEqual([]);
}); // prettier-ignore

test('nothing but an audit is counted', () => {
  expect(said(audit, 'io.weir.view', { ...entity, action: 'read' })).toEqual([]);
});
