-- The groups belong to another domain, and so does the server that manages them, which is silent: nobody answers in its name all the
-- time. Signalling does not need it: the PF's own MuSiK is made, given out, changed and used without any key of that domain.
-- What is said in the groups is protected from end to end: the PF passes it on as it comes.
--                                                                                              MCX-3, MCX-8, MCX-29, MCX-30
--
--   PF -> client   MESSAGE: MuSiK for sip:fire@gms.elsewhere.example                                            MCX-3, MCX-29
--   PF -> air      the groups are mapped to the bearer under it, floor control too; media as it came                   MCX-30

scenario "The groups are managed elsewhere, by nobody who answers"

musik("fire", { groups = { "sip:fire@gms.elsewhere.example", "sip:water@gms.elsewhere.example" }, deadline_ms = 20000 })
local alice, bob = client("alice", { mcx = true }), client("bob", { mcx = true })
local carol = client("carol", { mcx = true })
local began = now()

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:provision()
    wait_for(radio:is("provisioned"), 60000, radio:name() .. " provisioned")
    radio:upload("publish")
end
wait_for(all(alice:is("keyed", "fire"), bob:is("keyed", "fire"), carol:is("keyed", "fire")), 90000, "three keyed")
wait_for(all(alice:is("listening", "fire"), bob:is("listening", "fire"), carol:is("listening", "fire")), 90000,
    "three listening")
wait(2000)
source:play("fire", { ms = 2000 })
for _ = 1, 20 do
    source:floor("fire")
    wait(100)
end
pf:rekey("fire")
wait_for(function() return alice:count("keys") == 2 and bob:count("keys") == 2 and carol:count("keys") == 2 end, 60000,
    "the next MuSiK with all three")
wait(22000)
for _ = 1, 20 do
    source:floor("fire")
    wait(100)
end
wait(500)
expect.holders("fire", alice, bob, carol)
expect.rekeys("fire", 1, began)
for _, radio in ipairs { alice, bob, carol } do
    expect.that(radio:count("floor") == 40, radio:name() .. " has understood every floor message")
    expect.played(radio, { min = 100, max = 100 })
    expect.gap(radio)
end
