package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/nexuscore/scheduler/sdk"
)

// endpoint is a source that answers JSON, in one page or several.
type endpoint struct {
	*collector
	source
}

const defaultPages = 10

func (e endpoint) pageLimit() int { return cmp.Or(e.MaxPages, defaultPages) }

// collect adds the rows of all pages. A source that has more of them than the run
// may ask for is an error, since figures of a part would be wrong, unless the
// next run goes on.
func (e endpoint) collect() error {
	cursor, err := e.kept()
	if err != nil {
		return err
	}
	address := e.URL
	if cursor != "" {
		address = withParameter(e.URL, e.Pagination.Parameter, cursor)
	}
	for page := 1; ; page++ {
		doc, err := e.get(address)
		if err != nil {
			return err
		}
		if err := e.rows(doc); err != nil {
			return err
		}
		next, to, err := e.next(address, doc)
		if err != nil {
			return err
		}
		if to == "" || to == address {
			return e.keep(cursor)
		}
		cursor, address = next, to
		if page == e.pageLimit() {
			if e.CursorKey == "" {
				return sdk.Permanent(fmt.Errorf("http: there are more than %d pages (maxPages); with a cursorKey the next run goes on", page))
			}
			e.more = true
			return e.keep(cursor)
		}
	}
}

// get asks for a page.
func (e endpoint) get(address string) (doc any, err error) {
	headers := map[string]string{"Accept": "application/json"}
	for name, value := range e.Headers {
		headers[name] = value
	}
	err = e.page(func() error {
		resp, err := e.c.HTTP(sdk.HTTPRequest{URL: address, Headers: headers})
		if err != nil {
			return err
		}
		if err := resp.Err(); err != nil {
			return err
		}
		if doc, err = decode(resp.Body); err != nil {
			return fmt.Errorf("http: %w", err)
		}
		return nil
	})
	return doc, err
}

// rows adds what is in a page.
func (e endpoint) rows(doc any) error {
	switch items := lookup(doc, e.Items).(type) {
	case nil:
		return nil
	case map[string]any:
		return e.add(items)
	case []any:
		for _, item := range items {
			if err := e.add(item); err != nil {
				return err
			}
		}
		return nil
	}
	return sdk.Permanent(fmt.Errorf("http: what the answer has at %q is neither an array nor an object", e.Items))
}

// next finds the cursor of the next page, if that is how pages are found, and its
// address, "" after the last.
func (e endpoint) next(address string, doc any) (cursor, to string, err error) {
	switch {
	case e.Pagination == nil:
		return "", "", nil
	case e.Pagination.Next != "":
		link, _ := lookup(doc, e.Pagination.Next).(string)
		if link == "" {
			return "", "", nil
		}
		to, err = follow(address, link)
		return "", to, err
	}
	switch v := lookup(doc, e.Pagination.Cursor).(type) {
	case string:
		cursor = v
	case json.Number:
		cursor = v.String()
	}
	if cursor == "" {
		return "", "", nil
	}
	return cursor, withParameter(e.URL, e.Pagination.Parameter, cursor), nil
}

// follow resolves a link to the next page. It must lead to the same server:
// headers, and the secrets in them, are meant for no other.
func follow(from, link string) (string, error) {
	base, err := url.Parse(from)
	if err != nil {
		return "", sdk.Permanent(errors.New("http: url: with pagination.next it must be an address that can be read, without a secret in its beginning"))
	}
	to, err := base.Parse(link)
	if err != nil {
		return "", sdk.Permanent(errors.New("http: pagination.next: what the answer has there is no address"))
	}
	if to.Scheme != base.Scheme || to.Host != base.Host {
		return "", sdk.Permanent(fmt.Errorf("http: pagination.next: it leads from %s to another server, %s", base.Host, to.Host))
	}
	return to.String(), nil
}

// withParameter adds to a query. The address may have the placeholders of secrets
// in it, so it is not taken apart.
func withParameter(address, name, value string) string {
	address, _, _ = strings.Cut(address, "#")
	sign := "?"
	if strings.Contains(address, "?") {
		sign = "&"
	}
	return address + sign + url.QueryEscape(name) + "=" + url.QueryEscape(value)
}

// kept is the cursor from which the last run wants to go on, "" for none.
func (e endpoint) kept() (cursor string, err error) {
	if e.CursorKey != "" {
		_, err = e.c.Get("cursor/"+e.CursorKey, &cursor)
	}
	return cursor, err
}

// keep keeps the last cursor that the server has named.
func (e endpoint) keep(cursor string) error {
	if e.CursorKey == "" || cursor == "" {
		return nil
	}
	return e.c.Set("cursor/"+e.CursorKey, cursor, 0)
}
