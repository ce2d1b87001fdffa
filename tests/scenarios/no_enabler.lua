-- Nothing can be put on air. Then nothing is: not late, not in clear, not with an old key. Everybody hears by unicast.
--                                                                                                  POC-1, POC-13, POC-21

scenario "A channel without a working enabler fails closed"

channel("dispatch", { enabler_works = false })
local alice, bob, carol = client("alice"), client("bob"), client("carol")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("in"), bob:is("in"), carol:is("in")), 20000, "three radios in")
wait(1000)
alice:talk { ms = 5000 }
wait(6000)

expect.on_air("dispatch", false)
expect.by_unicast(bob)
expect.by_unicast(carol)
expect.played(bob, { min = 240 })
