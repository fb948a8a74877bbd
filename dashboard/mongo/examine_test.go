package mongo

import (
	"context"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/checkup"
	"github.com/sluice-gateway/sluice/dashboard/checkup/checkuptest"
)

func TestExamine(t *testing.T) {
	checkuptest.Run(t, "MongoDB", func(t *testing.T) checkuptest.Store {
		c := database(t)
		s := open(t, c)
		return checkuptest.Store{
			Log: s.Log(), Marks: s.Marks(),
			Examine: func(ctx context.Context) (checkup.Facts, error) { return Examine(ctx, c) },
			Drop: func(t *testing.T, n int64) {
				if _, err := s.db.Collection(revisionsName).DeleteOne(t.Context(), eq("_id", n)); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

func TestExamineMigratesNothing(t *testing.T) {
	c := database(t)
	for range 2 {
		if f, err := Examine(t.Context(), c); err != nil || f.Steps != 0 || f.Known != len(steps()) {
			t.Errorf("an empty database: %+v, %v", f, err)
		}
	}
}

func TestOldServersAreTold(t *testing.T) {
	for version, old := range map[string]bool{"4.2.24": true, "3.6.0": true, "4.4.0": false, "7.0.2": false, "5.0": false, "": false, "next": false} {
		if older(version) != old {
			t.Errorf("%q: older is %v", version, !old)
		}
	}
}
