-- The session ends: every leg gets a BYE and the conference is "deleted". The channel stops, its keys are wiped, and from
-- then on nobody is offered a new one. A BYE that overtakes the "deleted" looks like an expulsion, as it must, and may
-- start a rekey; "deleted" ends it.                                                                                POC-23

scenario "The session ends"

channel("dispatch", { gate = "hold" })
local alice, bob, carol = client("alice"), client("bob", { keeps_keys = true }), client("carol")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three radios keyed")
alice:talk { ms = 3000 }
wait(3000)

cf:end_session("dispatch")
wait_for(all(alice:is("out"), bob:is("out"), carol:is("out")), 40000, "everybody out")
wait(3000)
local over = now()
wait(15000)
expect.on_air("dispatch", false, over)
expect.no_rekey("dispatch", over)
