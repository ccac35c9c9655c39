import { ownerConformance } from './owners.ts';

ownerConformance('nats');
