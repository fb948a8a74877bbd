package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-gateway/sluice/dashboard/backup"
	"github.com/sluice-gateway/sluice/dashboard/people"
)

var (
	_ backup.Target = (*Store)(nil)
	_ backup.People = (*Store)(nil)
)

const (
	markBegun  = "restore.begun" // see backup.Target
	markPrefix = "^restore\\."   // of the marks that outlive a restore

	clearTimeout = 10 * time.Minute // of emptying one collection
	putTimeout   = 30 * time.Second // of writing one batch
)

// filled are the collections that a restore empties: all of them but the notes of
// migrations; drafts too, which no backup has. Records may lie in the same database and are not touched.
func filled() []string {
	return append(viewNames(), revisionsName, contentsName, keysName, usersName, sessionsName, tokensName, attemptsName, draftsName)
}

// Everyone returns all users and tokens, for a backup.
func (s *Store) Everyone(ctx context.Context) (all []people.User, tokens []people.Token, err error) {
	err = call(ctx, "reading all users and tokens", func(ctx context.Context) error {
		u, err := find[userDoc](ctx, s.db.Collection(usersName), bson.D{}, options.Find().SetSort(eq("_id", 1)))
		if err != nil {
			return err
		}
		t, err := find[tokenDoc](ctx, s.db.Collection(tokensName), bson.D{}, options.Find().SetSort(eq("_id", 1)))
		for _, d := range u {
			all = append(all, d.user())
		}
		for _, d := range t {
			tokens = append(tokens, d.token())
		}
		return err
	})
	return all, tokens, err
}

// Empty tells whether a backup may be restored without replacing anything.
func (s *Store) Empty(ctx context.Context) (bool, error) {
	empty := true
	err := call(ctx, "looking whether the store is empty", func(ctx context.Context) error {
		for _, name := range []string{revisionsName, keysName, usersName, tokensName} {
			err := s.db.Collection(name).FindOne(ctx, bson.D{}).Err()
			if errors.Is(err, driver.ErrNoDocuments) {
				continue
			}
			empty = false
			return err
		}
		return nil
	})
	return empty, err
}

// Fill puts other data in the place of all that the store has. MongoDB does this
// step by step: while it is under way, and after it broke off, the mark
// "restore.begun" keeps dashboards from starting on it. A store that was empty is
// emptied again after an error.
func (s *Store) Fill(ctx context.Context, marks map[string]int64, fill func(put func(backup.Batch) error) error) error {
	empty, err := s.Empty(ctx)
	if err != nil {
		return err
	}
	if err := s.Marks().Raise(ctx, markBegun, marks[markBegun]); err != nil {
		return err
	}
	err = s.clear(ctx, markPrefix)
	if err == nil {
		err = fill(func(b backup.Batch) error { return s.putBatch(ctx, b) })
	}
	for name, v := range marks {
		if err == nil {
			err = s.Marks().Raise(ctx, name, v)
		}
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("restoring the store: %w", err)
	if !empty {
		return errors.Join(backup.ErrUnfinished, err)
	}
	if undo := s.clear(context.WithoutCancel(ctx), ""); undo != nil {
		return errors.Join(backup.ErrUnfinished, err, undo)
	}
	return err
}

// clear empties the store. Marks whose names match the expression stay.
func (s *Store) clear(ctx context.Context, keep string) error {
	remove := func(name string, filter bson.D) error {
		ctx, cancel := context.WithTimeout(ctx, clearTimeout)
		defer cancel()
		return call(ctx, "emptying "+name, func(ctx context.Context) error {
			_, err := s.db.Collection(name).DeleteMany(ctx, filter)
			return err
		})
	}
	for _, name := range filled() {
		if err := remove(name, bson.D{}); err != nil {
			return err
		}
	}
	filter := bson.D{}
	if keep != "" {
		filter = eq("_id", eq("$not", bson.Regex{Pattern: keep}))
	}
	return remove(marksName, filter)
}

func (s *Store) putBatch(ctx context.Context, b backup.Batch) error {
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	if err := s.Contents().Put(ctx, b.Contents); err != nil {
		return err
	}
	var logged, people, tokens []any
	for _, r := range b.Revisions {
		logged = append(logged, newRevisionDoc(r))
	}
	for _, u := range b.Users {
		people = append(people, newUserDoc(u))
	}
	for _, t := range b.Tokens {
		tokens = append(tokens, newTokenDoc(t))
	}
	for _, part := range []struct {
		name string
		docs []any
	}{{revisionsName, logged}, {usersName, people}, {tokensName, tokens}} {
		if len(part.docs) == 0 {
			continue
		}
		err := call(ctx, "writing "+part.name, func(ctx context.Context) error {
			_, err := s.db.Collection(part.name).InsertMany(ctx, part.docs)
			return err
		})
		if err != nil {
			return err
		}
	}
	return s.putKeys(ctx, b)
}

// putKeys writes keys in their order: a later one takes the place of an earlier.
func (s *Store) putKeys(ctx context.Context, b backup.Batch) error {
	var steps []driver.WriteModel
	for _, k := range b.Keys {
		doc, err := newKeyDoc(k)
		if err != nil {
			return err
		}
		steps = append(steps, driver.NewReplaceOneModel().SetFilter(eq("_id", doc.ID)).SetReplacement(doc).SetUpsert(true))
	}
	if len(steps) == 0 {
		return nil
	}
	return call(ctx, "writing keys", func(ctx context.Context) error {
		_, err := s.db.Collection(keysName).BulkWrite(ctx, steps)
		return err
	})
}
