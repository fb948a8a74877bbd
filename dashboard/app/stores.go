package app

import (
	"context"
	"errors"

	"github.com/sluice-gateway/sluice/dashboard/backup"
	"github.com/sluice-gateway/sluice/dashboard/drafts"
	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/mongo"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
)

// stores are the parts of the store, whichever driver keeps them.
type stores struct {
	log      publish.Log
	contents publish.Contents
	views    publish.Views
	marks    publish.Marks
	keys     keys.Store
	users    people.Users
	sessions people.Sessions
	tokens   people.Tokens
	attempts people.Attempts
	drafts   drafts.Shelf
	ping     func(context.Context) error
	close    func(context.Context) error
	everyone backup.People
	target   backup.Target
}

// openStores opens the store that the configuration names. It refuses one in which a
// restore broke off.
func openStores(ctx context.Context, c Config) (stores, error) {
	st, err := openAnyStores(ctx, c)
	if err != nil {
		return stores{}, err
	}
	if err := backup.Ready(ctx, st.marks); err != nil {
		return stores{}, errors.Join(err, st.close(ctx))
	}
	return st, nil
}

// openAnyStores is openStores also for one that is not complete.
func openAnyStores(ctx context.Context, c Config) (stores, error) {
	if c.Store.Driver == driverMongoDB {
		s, err := mongo.Open(ctx, c.mongo())
		if err != nil {
			return stores{}, err
		}
		return stores{s.Log(), s.Contents(), s.Views(), s.Marks(), s.Keys(), s.Users(), s.Sessions(), s.Tokens(), s.Attempts(), s.Drafts(), s.Ping, s.Close, s, s}, nil
	}
	s, err := sqlite.Open(ctx, c.storePath())
	if err != nil {
		return stores{}, err
	}
	return stores{s.Log(), s.Contents(), s.Views(), s.Marks(), s.Keys(), s.Users(), s.Sessions(), s.Tokens(), s.Attempts(), s.Drafts(), s.Ping, s.Close, s, s}, nil
}
