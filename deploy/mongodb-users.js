// Run once by the image's entry point, when the volume is empty: the user of `weir verify`, who only reads, and the
// worker's user, who may add events to one collection
// and look after its TTL index (collMod and dropIndex are for a change of MONGODB_RETENTION_DAYS), and can neither read
// nor change nor delete what is there.
/* global db, process */
const {
  MONGODB_DATABASE,
  MONGODB_COLLECTION = 'events',
  MONGODB_WEIR_PASSWORD,
  MONGODB_OPERATOR_PASSWORD,
} = process.env;
const admin = db.getSiblingDB('admin');
admin.createRole({
  role: 'weirEcho',
  privileges: [
    {
      resource: { db: MONGODB_DATABASE, collection: MONGODB_COLLECTION },
      actions: ['insert', 'createCollection', 'createIndex', 'dropIndex', 'collMod'],
    },
  ],
  roles: [],
});
admin.createUser({ user: 'weir', pwd: MONGODB_WEIR_PASSWORD, roles: ['weirEcho'] });
admin.createUser({ user: 'operator', pwd: MONGODB_OPERATOR_PASSWORD, roles: [{ role: 'read', db: MONGODB_DATABASE }] });
