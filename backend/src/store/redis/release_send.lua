give_back()
return done()
