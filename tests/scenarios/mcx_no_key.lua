-- Without a key nothing goes on air and nothing is listened to. In "closed" the bearer does not work, in "empty" nobody has a CSK: not one
-- packet leaves for either. In the north, where alice and bob have the MuSiK, an attacker sends clear floor control, noise and
-- replays: nobody takes any of it. Alice is in a PoC session too; floor control of hers is under her CSK, both ways, and what the
-- attacker says in her name is dropped. Dave, who has no CSK, asks for the floor in clear, and gets it: he is no such user.
--                                                                                MCX-4, MCX-6, MCX-7, MCX-12, MCX-31
--
--   alice -> PF      floor request as SRTCP under her CSK; in clear: dropped                                            MCX-6
--   attacker -> air  clear floor control: nobody hears it                                                               MCX-7
--   PF               no MuSiK: no packet                                                                               MCX-31

scenario "Without a key nothing goes on air"

channel("dispatch")
musik("north")
musik("closed", { enabler_works = false })
musik("empty", { admit = "listed", users = { "carol" } })
local alice, bob = client("alice", { mcx = true }), client("bob", { mcx = true })
local carol = client("carol", { mcx = true })
local dave = client("dave")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:provision()
    wait_for(radio:is("provisioned"), 60000, radio:name() .. " provisioned")
end
dave:bootstrap()
alice:upload("publish")
bob:upload("publish")
wait_for(all(alice:is("keyed", "north"), bob:is("keyed", "north")), 90000, "both keyed")
wait_for(all(alice:is("listening", "north"), bob:is("listening", "north")), 90000, "both listening")
for _, radio in ipairs { alice, dave } do
    radio:join("dispatch")
end
wait_for(all(alice:is("in"), dave:is("in"), alice:is("keyed"), dave:is("keyed")), 90000, "both in the session")
wait(3000)

for i = 1, 20 do
    source:floor("closed")
    source:floor("empty")
    source:floor("north")
    attacker:strike("north")
    wait(50)
    if i == 10 then
        attacker:strike("dispatch")
    end
end
wait(500)
expect.on_air("closed", false)
expect.on_air("empty", false)
expect.holders("north", alice, bob)
expect.that(bob:count("floor") == 20, "bob has understood every floor message and nothing else")
expect.that(carol:count("keys") == 0 and carol:count("floor") == 0, "carol has brought no CSK, and has nothing")

alice:floor_request()
wait(1000)
alice:talk { ms = 1000 }
wait(1500)
alice:floor_release()
wait(500)
expect.played(dave, { min = 40 })
expect.gap(bob)
expect.gap(dave)
