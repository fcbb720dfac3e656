// Package fakeplatform is a Discord, a Twitch and a notification service on one
// address, for `scheduler dev` and for tests. It answers with the status codes,
// bodies, headers and limits of the real ones, as far as the bundled task types
// use them, and remembers how often the world was really changed.
//
//	/discord/api/v10/…             the Discord REST API
//	/twitch/helix/…                the Twitch Helix API
//	/notification/notifications    the notification service
//	/journal, /journal/stream      what has happened, as JSON and as server-sent events
//	/faults                        what goes wrong on purpose: GET, POST, DELETE
//	/                              a page for people
//
// Channels, guilds and users exist as soon as somebody names them, if the id has
// the platform's form: decimal digits.
//
// Sources: the public documentation of both platforms, discord.com/developers
// and dev.twitch.tv/docs/api, as of 2026.
package fakeplatform
