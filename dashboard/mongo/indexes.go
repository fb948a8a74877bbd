package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// The collections.
const (
	revisionsName    = "revisions"
	contentsName     = "contents"
	apisName         = "apis"
	policiesName     = "policies"
	certificatesName = "certificates"
	secretsName      = "secrets"
	documentsName    = "documents"
	marksName        = "marks"
	keysName         = "keys"
	usersName        = "users"
	sessionsName     = "sessions"
	tokensName       = "tokens"
	attemptsName     = "attempts"
	draftsName       = "drafts"
	migrationsName   = "migrations"
)

// index is one index of a collection.
type index struct {
	collection string
	name       string
	unique     bool
	fields     bson.D
}

// indexes are all of them but those on _id, which MongoDB makes.
func indexes() []index {
	up := func(fields ...string) (d bson.D) {
		for _, f := range fields {
			d = append(d, bson.E{Key: f, Value: 1})
		}
		return d
	}
	down := func(field string) bson.E { return bson.E{Key: field, Value: -1} }
	all := []index{
		{revisionsName, "by_object", false, append(up("objects"), down("_id"))},
		{keysName, "hashes", true, up("hashes")},
		{keysName, "by_age", false, bson.D{{Key: "org", Value: 1}, down("createdAt"), down("_id")}},
		{keysName, "searched", false, bson.D{{Key: "org", Value: 1}, down("createdAt"), down("_id"), {Key: "state", Value: 1}, {Key: "search", Value: 1}}},
		{keysName, "by_change", false, up("updatedAt", "_id")},
		{usersName, "login", true, up("login")},
		{usersName, "by_org", false, up("org", "login")},
		{sessionsName, "by_user", false, up("userId")},
		{sessionsName, "by_end", false, up("expiresAt")},
		{tokensName, "hash", true, up("hash")},
		{tokensName, "by_org", false, bson.D{{Key: "org", Value: 1}, down("createdAt"), {Key: "_id", Value: 1}}},
		{attemptsName, "by_time", false, up("at")},
		{draftsName, "slot", true, up("slot")},
		{draftsName, "by_time", false, bson.D{{Key: "org", Value: 1}, down("updatedAt"), down("_id")}},
		{draftsName, "due", false, up("dueAt")},
	}
	for _, view := range viewNames() {
		all = append(all,
			index{view, "by_name", false, up("org", "deleted", "sortName", "_id")},
			index{view, "searched", false, up("org", "deleted", "sortName", "_id", "state", "search")},
			index{view, "by_time", false, bson.D{{Key: "org", Value: 1}, {Key: "deleted", Value: 1}, down("updatedAt"), {Key: "_id", Value: 1}}},
		)
	}
	return all
}

// createIndexes makes those that are not there; one that is stays as it is.
func createIndexes(ctx context.Context, db *driver.Database) error {
	for _, x := range indexes() {
		_, err := db.Collection(x.collection).Indexes().CreateOne(ctx, driver.IndexModel{
			Keys:    x.fields,
			Options: options.Index().SetName(x.name).SetUnique(x.unique),
		})
		if err != nil {
			return fmt.Errorf("creating index %s of %s: %w", x.name, x.collection, err)
		}
	}
	return nil
}
