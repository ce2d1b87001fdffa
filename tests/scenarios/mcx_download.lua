-- Several MuSiKs, split by group: alice is in the north, bob in the south, carol in both, and all in a third. Each is
-- downloaded to those it is for, under an id whose first four bits say what it is; the key of one does not open the other. What is
-- on air under it is floor control, and only that: media of a group is protected from end to end and passes as it is.
--                                                       MCX-1, MCX-2, MCX-3, MCX-7, MCX-8, MCX-13, MCX-22, MCX-26, MCX-28
--
--   PF -> client   MESSAGE: application/mikey, sealed for the service id, signed by the PF's identity          MCX-23, MCX-26
--   client -> PF   200 OK: holds it                                                                                  MCX-1
--   PF -> air      SRTCP under the MuSiK                                                                             MCX-7

scenario "Three MuSiKs for different people"

pf:configure { by_notify = chance(0, 1) < 0.3 }
musik("north", { admit = "listed", users = { "alice", "carol" } })
musik("south", { admit = "listed", users = { "bob", "carol" } })
musik("rest")
local alice, bob, carol = client("alice", { mcx = true }), client("bob", { mcx = true }), client("carol", { mcx = true })
local radios = { alice, bob, carol }

for _, radio in ipairs(radios) do
    radio:bootstrap()
    radio:provision()
    wait_for(radio:is("provisioned"), 60000, radio:name() .. " provisioned")
end
for _, radio in ipairs(radios) do
    radio:upload("register")
    wait(chance(0, 200))
end
wait_for(all(alice:is("keyed", "north"), carol:is("keyed", "north"), bob:is("keyed", "south"), carol:is("keyed", "south")), 90000,
    "the MuSiKs of north and south where they belong")
wait_for(function() return alice:count("keys") == 2 and bob:count("keys") == 2 and carol:count("keys") == 3 end, 90000,
    "the third MuSiK with everybody")
for _, region in ipairs { "north", "south", "rest" } do
    for _, radio in ipairs(radios) do
        local hears = region == "rest" or radio == carol or (region == "north") == (radio == alice)
        if hears then
            wait_for(radio:is("listening", region), 90000, radio:name() .. " listening to the " .. region)
        end
    end
end
wait(2000)
for _ = 1, 10 do
    source:floor("north")
    source:floor("south")
    source:floor("rest")
    wait(50)
end
wait(500)
expect.holders("north", alice, carol)
expect.holders("south", bob, carol)
expect.holders("rest", alice, bob, carol)
expect.that(alice:count("floor") == 20, "alice has understood the north and the rest")
expect.that(bob:count("floor") == 20, "bob has understood the south and the rest")
expect.that(carol:count("floor") == 30, "carol has understood all three")
for _, radio in ipairs(radios) do
    expect.gap(radio)
end
expect.rekeys("north", 0)
