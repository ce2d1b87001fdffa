-- Bob registers where no push reaches him, and before he is back the operator expels him. He hears an MSK that he does not have,
-- asks for it, is refused, and holds nothing that would be of use: there is nothing in this service for him, so he leaves it.
-- Carol is refused too, but she holds an MSK that is still valid as far as she can know: she stays, and hears nothing.
--                                                                                                               MBMS-2
--   bob -> PF        POST register; 200 OK; the pushes are lost
--   operator -> PF   expel bob, expel carol
--   air -> both      STKM under an MSK that they do not have                                                     MBMS-1
--   both -> PF       POST msk-request; the item is refused                                               MBMS-3, MBMS-5

scenario "A client that is refused the key leaves the service"

channel("fire", { group = false, max_back_off_s = 0 })
local alice, bob, carol = client("alice"), client("bob"), client("carol")

bob:coverage(false)
for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:register("fire")
end
wait_for(all(alice:is("keyed"), carol:is("keyed"), bob:is("registered")), 20000, "two keyed, all registered")
source:play("fire")
wait_for(carol:is("by multicast"), 7000, "carol hearing")

pf:expel("fire", bob)
pf:expel("fire", carol)
wait(5000)
bob:coverage(true)
wait_for(all(bob:is("gone"), carol:is("denied")), 30000, "the answers to both")
expect.denied(bob, 403)
expect.denied(carol, 403)
expect.that(not bob:is("listening")(), "bob does not listen any more")
expect.that(not carol:is("gone")(), "carol has not given up")
wait(1000)
expect.holders("fire", alice)
expect.heard_nothing(bob)
expect.exposure(carol, { max_ms = 200 })
expect.gap(alice)
