-- The PF wants AES-256 from everybody. Alice likes AES-128 best and is downloaded a CSK that names the other: from then on, and not
-- before, she protects what she sends with it. Bob has selected it himself and needs nothing. Carol says nothing, which means
-- AES-128 alone, and old is old: with both the PF has no algorithm in common, and refuses.        MCX-14, MCX-15, MCX-22, MCX-27
--
--   alice -> PF   CSK 1; supported: AES-128-GCM (selected), AES-256-GCM                                              MCX-14
--   PF -> alice   200 OK, then MESSAGE: CSK 2, AES-256-GCM                                                   MCX-15, MCX-27
--   alice -> PF   200 OK: everything under CSK 2                                                                    MCX-22

scenario "The PF forces another algorithm"

pf:configure { forced_algorithm = { "aes-256-gcm" } }
musik("north")
local alice = client("alice", { mcx = true, algorithms = { "aes-128-gcm", "aes-256-gcm" } })
local bob = client("bob", { mcx = true, algorithms = { "aes-256-gcm", "aes-128-gcm" } })
local carol = client("carol", { mcx = true })
local old = client("old", { mcx = true, algorithms = { "aes-128-gcm" } })
local radios = { alice, bob, carol, old }

for _, radio in ipairs(radios) do
    radio:bootstrap()
    radio:provision()
    wait_for(radio:is("provisioned"), 60000, radio:name() .. " provisioned")
end
for _, radio in ipairs(radios) do
    radio:upload("publish")
end
wait_for(all(alice:is("authorised"), bob:is("authorised")), 90000, "alice and bob accepted")
wait_for(all(alice:is("aes-256-gcm"), bob:is("aes-256-gcm")), 90000, "both protecting with AES-256")
wait_for(all(carol:is("denied"), old:is("denied")), 90000, "the answers to carol and old")
expect.denied(carol, 403)
expect.denied(old, 403)
wait_for(all(alice:is("keyed", "north"), bob:is("keyed", "north")), 90000, "the MuSiK with both")
wait_for(all(alice:is("listening", "north"), bob:is("listening", "north")), 90000, "both listening")
wait(5000)
expect.that(alice:count("csks") == 2, "alice was sent another CSK")
expect.that(bob:count("csks") == 1, "bob has his own")
expect.that(alice:is("aes-256-gcm")(), "and stays with AES-256")
for _ = 1, 10 do
    source:floor("north")
    wait(50)
end
wait(500)
expect.holders("north", alice, bob)
expect.that(alice:count("floor") == 10 and bob:count("floor") == 10, "both have understood every floor message")
