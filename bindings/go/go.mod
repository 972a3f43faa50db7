module haigha

go 1.19
