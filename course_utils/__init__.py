"""The building blocks that the lessons teach and then import.

Five floors; a room imports only from rooms to its left on its own floor, or from below:

5 for a class     lessons (commands that copy, run and store the notebooks)
4 for a learner   first_cell (what each lesson begins with), environment, exercises (check, hint, solution, progress),
                  widgets (the explorers)
3 to look         palette, plots (figures), sketch (pictures that follow a control)
2 to build models cnn, vit, dcgan, vae, explain
1 to compute      convolution, attention, layers, data, augment, metrics, optimizers, hard_examples, checkpoints,
                  training, own_pictures
"""
