package secretstest_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

func itoa(n int) string { return strconv.Itoa(n) }

// filled returns a server with n secrets, whose names sort against the order of
// their creation.
func filled(t testing.TB, n int) *secretstest.Server {
	t.Helper()
	srv := secretstest.New(t, nil)
	for i := range n {
		srv.Put(fmt.Sprintf("s%06d", n-i), "v")
	}
	return srv
}

// listPages lists everything in pages of a hundred.
func listPages(t testing.TB, c *secretsmanager.Client, by string) (pages [][]string) {
	t.Helper()
	in := &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(100), SortBy: types.SortByType(by)}
	for {
		out, err := c.ListSecrets(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		var page []string
		for _, s := range out.SecretList {
			page = append(page, *s.Name)
		}
		pages = append(pages, page)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return pages
		}
	}
}

func TestListPages(t *testing.T) {
	srv := filled(t, 1234)
	for _, by := range []string{"created-date", "name"} {
		pages := listPages(t, srv.Client(), by)
		names := slices.Concat(pages...)
		if len(pages) != 13 || len(names) != 1234 {
			t.Errorf("%s: got %d pages, %d names, want 13 and 1234", by, len(pages), len(names))
		}
		if by == "created-date" {
			slices.Reverse(names)
		}
		if !slices.IsSorted(names) {
			t.Errorf("%s: not in order", by)
		}
		if len(slices.Compact(names)) != 1234 {
			t.Errorf("%s: a name is there twice", by)
		}
	}
}

// A list that lets others have their turn must go on where it was.
func TestListInBatches(t *testing.T) {
	srv := filled(t, 9000)
	for name, want := range map[string]int{"s00000": 9, "s008999": 1, "s000001": 1, "none": 0} {
		for _, order := range []types.SortOrderType{types.SortOrderTypeAsc, types.SortOrderTypeDesc} {
			for _, by := range []types.SortByType{types.SortByTypeCreatedDate, types.SortByTypeName} {
				out, err := srv.Client().ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{SortOrder: order, SortBy: by,
					Filters: []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{name}}}})
				if err != nil || len(out.SecretList) != want {
					t.Errorf("%s %s by %s: got %d secrets, %v, want %d", name, order, by, len(out.SecretList), err, want)
				}
			}
		}
	}
}
