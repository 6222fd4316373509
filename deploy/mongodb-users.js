// Run once by the image's entry point, when the volume is empty: the worker's user, for one database. dbAdmin is for
// the TTL of what is there already (collMod), which a change of MONGODB_RETENTION_DAYS needs.
/* global db, process */
const { MONGODB_DATABASE, MONGODB_WEIR_PASSWORD } = process.env;
db.getSiblingDB('admin').createUser({
  user: 'weir',
  pwd: MONGODB_WEIR_PASSWORD,
  roles: ['readWrite', 'dbAdmin'].map((role) => ({ role, db: MONGODB_DATABASE })),
});
